// `ollamax serve` as it is measured: one process, everything on, a cluster of direct nodes.
import {mkdirSync, writeFileSync} from 'node:fs'
import {dirname, join, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'
import {freePort, untilServing} from './machine.js'

const bin = resolve(dirname(fileURLToPath(import.meta.url)), '../../bin/run.js')

/** Starts the gateway in front of the nodes, each an entry of a cluster file: {url, pid}. */
export async function startGateway(processes, {home, cluster, entries, core, env = {}}) {
  const clusters = join(home, 'clusters')
  mkdirSync(clusters, {recursive: true, mode: 0o700})
  const nodes = entries.map((entry) => `  - ${JSON.stringify(entry)}\n`).join('')
  writeFileSync(
    join(clusters, `${cluster}.yaml`),
    `apiVersion: ollamax/v1\nkind: Cluster\nnodes:\n${nodes}`,
  )
  const url = `http://127.0.0.1:${await freePort()}`
  const one = processes.start(
    core,
    [process.execPath, bin, 'serve', '--listen', new URL(url).host, '--cluster', cluster],
    {
      name: 'ollamax serve',
      env: {...process.env, ...env, OLLAMAX_HOME: home, NO_COLOR: '1'},
    },
  )
  await untilServing(one, `${url}/readyz`)
  return {url, pid: one.child.pid}
}

export const directNodes = (urls) => urls.map((url, i) => ({name: `n${i + 1}`, url}))
