import {join} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {figures, type Got} from '../support/load.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import {waitFor} from '../support/wait-for.ts'

// Four machines change their Ollama: h1 to h3 by a system service, h4 without root and without an init system.

const test = needs(...LAB_NEEDS)
const HOSTS = [1, 2, 3, 4]
const URL = 'http://127.0.0.1:11435'
let lab: Lab
let old: Artifact
let young: Artifact

beforeAll(async () => {
  ;[lab, old, young] = await Promise.all([
    startLab({hosts: 4, plain: [4]}),
    makeArtifact({version: '0.33.0'}),
    makeArtifact({version: '0.34.0'}),
  ])
  for (const host of HOSTS) await script(host, {decodeTokensPerS: 100, answerTokens: 40, slots: 8})
  for (const words of [
    ['h1', 'h2', 'h3'],
    ['ops@h4', '--name', 'h4', '--user-mode'],
  ]) {
    const add = ['node', 'add', ...words, '--artifact', old.file, '--accept-host-key', '--yes']
    const added = await lab.cli(add)
    expect(added.code, added.stderr).toBe(0)
  }
  for (const host of HOSTS)
    await lab.exec(host, `curl -sf 127.0.0.1:11434/api/pull -d '{"model":"tiny"}'`)
})
afterAll(async () => {
  await lab?.close()
  old?.dispose()
  young?.dispose()
})

/** What a host's stand-in does, also after a restart. */
const script = (host: number, settings: object) =>
  lab.exec(host, 'cat >/etc/fake-ollama.json', {stdin: JSON.stringify(settings)})

const json = async (...args: string[]) => JSON.parse((await lab.cli([...args, '--json'])).stdout)
const upgrade = (...args: string[]) =>
  lab.cli(['node', 'upgrade', '--yes', '--pause', '6s', ...args], {timeoutMs: 240_000})
const versions = async () => {
  const {nodes} = await json('node', 'list', '--live')
  return nodes.map(({version, drained}: {version: string; drained: boolean}) => [version, drained])
}
const all = (version: string) => HOSTS.map(() => [version, false])

async function load(count: number, atOnce: number): Promise<Got[]> {
  const child = join(import.meta.dirname, 'load-child.ts')
  const words = [process.execPath, child, URL, `${count}`, `${atOnce}`]
  const {stdout, stderr, code} = await lab.tool(words, {timeoutMs: 110_000})
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout)
}

test('an upgrade of four nodes under load from the gateway fails no request', async () => {
  const gateway = lab.startCli(['serve'], {timeoutMs: 280_000})
  gateway.ended.catch(() => {})
  const healthy = async () => {
    const {stdout} = await lab.tool(['curl', '-s', '-m', '2', `${URL}/readyz`])
    return Number.parseInt(stdout, 10)
  }
  await waitFor('all nodes to be up', async () => (await healthy()) === 4, {timeoutMs: 30_000})
  const sinceMs = performance.now()
  let over = false
  const loading = (async () => {
    const got: Got[] = []
    while (!over) got.push(...(await load(60, 8)))
    return got
  })()
  const done = await upgrade('--artifact', young.file, '--version', '0.34.0')
  const tookMs = performance.now() - sinceMs
  over = true
  const got = await loading
  gateway.child.kill('SIGTERM')
  await gateway.ended
  expect(done.code, done.stderr).toBe(0)
  const by = (node: string) => got.filter(({headers}) => headers['x-ollamax-node'] === node).length
  const {sent, failed} = figures('upgrade of 4 nodes', got, {
    'took s': tookMs / 1000,
    'slowest ms': Math.max(...got.map(({totalMs}) => totalMs)),
    ...Object.fromEntries(HOSTS.map((host) => [`by h${host}`, by(`h${host}`)])),
  })
  console.log(done.stdout)
  expect(failed).toBe(0)
  expect(sent).toBeGreaterThan(200)
  for (const host of HOSTS) expect(by(`h${host}`)).toBeGreaterThan(0)
  expect(await versions()).toEqual(all('0.34.0'))
}, 280_000)
