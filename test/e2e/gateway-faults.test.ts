import {join} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {script} from '../lab/external-ollama.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {figures, type Got} from '../support/load.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import type {RunningCli} from '../support/run-cli.ts'
import {waitFor} from '../support/wait-for.ts'

const test = needs(...LAB_NEEDS)
const HOSTS = [1, 2, 3]
const URL = 'http://127.0.0.1:11435'
let lab: Lab
let artifact: Artifact
let gateway: RunningCli

// One gateway in front of three machines behind SSH. What a test breaks it mends, so that the next finds all well.
beforeAll(async () => {
  artifact = await makeArtifact()
  lab = await startLab({hosts: 3})
  const targets = HOSTS.map((host) => `h${host}`)
  const env = ['--env', 'OLLAMA_NUM_PARALLEL=16']
  const added = await lab.cli(['node', 'add', ...targets, '--artifact', artifact.file, ...env])
  expect(added).toMatchObject({code: 0})
  for (const host of HOSTS) {
    await lab.exec(host, `curl -sf 127.0.0.1:11434/api/pull -d '{"model":"tiny"}'`)
    // More at once than the node does: some wait there, without a byte yet.
    await pace(host)
  }
  gateway = lab.startCli(['serve'], {timeoutMs: 280_000})
  gateway.ended.catch(() => {})
  await waitFor('all nodes to be up', async () => (await healthy()) === 3, {timeoutMs: 30_000})
})
afterAll(async () => {
  gateway?.child.kill('SIGTERM')
  await gateway?.ended
  await lab?.close()
  artifact?.dispose()
})

const pace = (host: number) =>
  script(lab, host, {slots: 12, decodeTokensPerS: 20, answerTokens: 60})

async function healthy(): Promise<number> {
  const {stdout} = await lab.tool(['curl', '-s', '-m', '2', `${URL}/readyz`])
  return Number.parseInt(stdout, 10)
}

async function load(count: number, atOnce: number, header = ''): Promise<Got[]> {
  const child = join(import.meta.dirname, 'load-child.ts')
  const {stdout, stderr, code} = await lab.tool(
    [process.execPath, child, URL, `${count}`, `${atOnce}`, header],
    {timeoutMs: 110_000},
  )
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout)
}

/** Until the node has that many requests in its hands. */
const busy = (host: number, count: number) =>
  waitFor(`h${host} to be busy`, async () => {
    const told = await lab.exec(host, 'curl -sf 127.0.0.1:11499/control')
    const {requests} = JSON.parse(told) as {requests: {path: string; outcome: string}[]}
    const open = requests.filter(({path, outcome}) => path === '/api/chat' && outcome === 'open')
    return open.length >= count
  })

/** Until a request to that node is answered by it; gives the time that it took. */
async function serves(host: number): Promise<number> {
  const sinceMs = performance.now()
  await waitFor(
    `h${host} to serve again`,
    async () => (await load(1, 1, `x-ollamax-node=h${host}`))[0]?.ending === 'answered',
    {timeoutMs: 60_000, everyMs: 100},
  )
  return performance.now() - sinceMs
}

/** An answer that failed although none of it had been shown. */
const lost = (all: readonly Got[]) =>
  all.filter(({ending, text}) => ending !== 'answered' && !text.includes('"content"')).length
const broken = (all: readonly Got[]) => all.filter(({ending}) => ending === 'broken').length

test('kill -9 of a node behind SSH under 40 streams fails none that had no byte', async () => {
  const loading = load(40, 40)
  await busy(1, 13)
  await lab.exec(1, 'systemctl kill -s KILL ollama')
  const all = await loading
  const again = await serves(1)
  await pace(1)
  const {failed} = figures('kill -9 behind SSH, 40 streams', all, {
    'failed without a byte before': lost(all),
    'serves again after ms': again,
  })
  expect({lost: lost(all), broken: broken(all)}).toEqual({lost: 0, broken: 0})
  expect(failed).toBeGreaterThan(0)
})

test('sshd killed under the tunnels: the others go on, and the gateway connects again by itself', async () => {
  const loading = load(40, 40)
  await busy(2, 8)
  await lab.exec(2, 'kill -9 $(pidof sshd); systemctl restart ssh')
  const all = await loading
  const again = await serves(2)
  const by = all.filter(({headers}) => headers['x-ollamax-node'] !== 'h2')
  figures('sshd killed, 40 streams', all, {
    'failed without a byte before': lost(all),
    'by other nodes': by.length,
    'serves again after ms': again,
  })
  expect({lost: lost(all), broken: broken(all)}).toEqual({lost: 0, broken: 0})
  for (const {ending} of by) expect(ending).toBe('answered')
})

test('a node that is cut off from the network delays and fails nobody else, and comes back', async () => {
  const loading = load(40, 40)
  await busy(3, 8)
  await lab.net.unplug(3)
  const during = await load(40, 10)
  const all = await loading
  const upMs = performance.now()
  await lab.net.plug(3)
  await serves(3)
  const again = performance.now() - upMs
  figures('partition, streams under way', all, {
    'failed without a byte before': lost(all),
    'slowest ms': Math.max(...all.map(({totalMs}) => totalMs)),
  })
  const {failed} = figures('partition, requests during it', during, {
    'slowest ms': Math.max(...during.map(({totalMs}) => totalMs)),
    'serves after healing ms': again,
  })
  expect({failed, lost: lost(all), broken: broken(all)}).toEqual({failed: 0, lost: 0, broken: 0})
  expect(again).toBeLessThan(10_000)
})
