// `ollamax serve` as it is measured: one process unless `words` say otherwise, everything on, a key that every request needs.
import {execFile} from 'node:child_process'
import {mkdirSync, writeFileSync} from 'node:fs'
import {dirname, join, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'
import {freePort, untilServing} from './machine.js'

const bin = resolve(dirname(fileURLToPath(import.meta.url)), '../../bin/run.js')
const cluster = 'bench'

/** Starts the gateway in front of the nodes, each an entry of a cluster file: {url, pid, key}. */
export async function startGateway(processes, {home, entries, core, env: more = {}, words = []}) {
  const clusters = join(home, 'clusters')
  mkdirSync(clusters, {recursive: true, mode: 0o700})
  const nodes = entries.map((entry) => `  - ${JSON.stringify(entry)}\n`).join('')
  writeFileSync(
    join(clusters, `${cluster}.yaml`),
    `apiVersion: ollamax/v1\nkind: Cluster\nnodes:\n${nodes}`,
  )
  const env = {...process.env, ...more, OLLAMAX_HOME: home, OLLAMAX_CLUSTER: cluster, NO_COLOR: '1'}
  const key = await createKey(env)
  const url = `http://127.0.0.1:${await freePort()}`
  const argv = [process.execPath, bin, 'serve', '--listen', new URL(url).host, ...words]
  const one = processes.start(core, argv, {name: 'ollamax serve', env})
  await untilServing(one, `${url}/readyz`, key)
  return {url, pid: one.child.pid, key}
}

async function createKey(env) {
  const argv = [bin, 'key', 'create', 'bench', '--json']
  const {stdout} = await promisify(execFile)(process.execPath, argv, {env})
  return JSON.parse(stdout).token
}

/**
 * Entries for nodes that are reached directly. `slots` is how many requests each is said to serve at once; 0: nothing
 * is said, and the gateway has to find out.
 */
export const directNodes = (urls, slots) =>
  urls.map((url, i) => ({name: `n${i + 1}`, url, ollama: parallel(slots)}))

/** What the entry of a node says of its Ollama, to tell how many requests it serves at once. */
export const parallel = (slots) => (slots > 0 ? {env: {OLLAMA_NUM_PARALLEL: String(slots)}} : {})
