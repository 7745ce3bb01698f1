import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {figures, type Got} from '../support/load.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import {waitFor} from '../support/wait-for.ts'

// What the cluster file says of Ollama itself is changed while clients ask through the gateway: by apply, and by
// serve --reconcile.

const test = needs(...LAB_NEEDS)
const URL = 'http://127.0.0.1:11435'
const HOSTS = [1, 2]
let lab: Lab
let old: Artifact
let young: Artifact

beforeAll(async () => {
  ;[lab, old, young] = await Promise.all([
    startLab({hosts: 2}),
    makeArtifact({version: '0.33.0'}),
    makeArtifact({version: '0.34.0'}),
  ])
  // Three seconds an answer: a change that does not wait for them cuts some.
  const settings = JSON.stringify({decodeTokensPerS: 100, answerTokens: 300, slots: 8})
  for (const host of HOSTS) await lab.exec(host, 'cat >/etc/fake-ollama.json', {stdin: settings})
  const add = ['node', 'add', 'h1', 'h2', '--accept-host-key', '--yes', '--artifact']
  for (const {file} of [young, old]) {
    const added = await lab.cli([...add, file], {timeoutMs: 120_000})
    expect(added.code, added.stderr).toBe(0)
  }
  for (const host of HOSTS)
    await lab.exec(host, `curl -sf 127.0.0.1:11434/api/pull -d '{"model":"tiny"}'`)
}, 240_000)
afterAll(async () => {
  await lab?.close()
  old?.dispose()
  young?.dispose()
})

const file = () => join(lab.home.env.OLLAMAX_HOME ?? '', 'clusters/default.yaml')
/** Lets the group of all nodes want this of Ollama, and the nodes themselves nothing. */
function want(ollama: string) {
  const [nodes = ''] = readFileSync(file(), 'utf8').split('groups:')
  const plain = nodes.replaceAll(/^ *ollama:\n *version: .*\n/gm, '')
  writeFileSync(file(), `${plain}groups:\n  - labels: {}\n    ollama: ${ollama}\n`)
}
const settingOf = (host: number) =>
  lab.exec(host, 'cat /etc/systemd/system/ollama.service.d/50-ollamax.conf')
const versionOf = async (host: number) =>
  JSON.parse(await lab.exec(host, 'curl -sf 127.0.0.1:11434/api/version')).version

async function load(count: number, atOnce: number): Promise<Got[]> {
  const child = join(import.meta.dirname, 'load-child.ts')
  const words = [process.execPath, child, URL, `${count}`, `${atOnce}`]
  const {stdout, stderr, code} = await lab.tool(words, {timeoutMs: 110_000})
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout)
}

/** Asks through a gateway for as long as `work` takes; gives the figures of all that was asked. */
async function underLoad(what: string, words: readonly string[], work: () => Promise<void>) {
  const gateway = lab.startCli(['serve', ...words], {timeoutMs: 280_000})
  gateway.ended.catch(() => {})
  const ready = async () => (await lab.tool(['curl', '-s', '-m', '2', `${URL}/readyz`])).stdout
  await waitFor('both nodes', async () => (await ready()).startsWith('2 '), {timeoutMs: 30_000})
  let over = false
  const loading = (async () => {
    const got: Got[] = []
    while (!over) got.push(...(await load(12, 6)))
    return got
  })()
  loading.catch(() => {})
  try {
    await work()
  } finally {
    over = true
  }
  const got = await loading
  gateway.child.kill('SIGTERM')
  await gateway.ended
  return figures(what, got)
}

test('a changed environment is rolled by apply while clients ask, and no request fails', async () => {
  const {sent, failed} = await underLoad('environment by apply', [], async () => {
    want('{env: {OLLAMA_NUM_PARALLEL: 4}}')
    const applied = await lab.cli(['apply', '--yes'], {timeoutMs: 200_000})
    expect(applied.code, applied.stderr).toBe(0)
  })
  for (const host of HOSTS) expect(await settingOf(host)).toContain('OLLAMA_NUM_PARALLEL=4')
  expect(readFileSync(file(), 'utf8')).not.toContain('drained: true')
  expect(sent).toBeGreaterThan(10)
  expect(failed).toBe(0)
}, 280_000)

test('serve --reconcile rolls a changed environment and a changed version by itself, and no request fails', async () => {
  const words = ['--reconcile', '--reconcile-every', '1s']
  const {sent, failed} = await underLoad('both by serve --reconcile', words, async () => {
    want('{env: {OLLAMA_NUM_PARALLEL: 6}}')
    await waitFor(
      'the environment',
      async () => {
        const texts = await Promise.all(HOSTS.map(settingOf))
        return texts.every((text) => text.includes('OLLAMA_NUM_PARALLEL=6'))
      },
      {timeoutMs: 120_000},
    )
    // That version lies on the hosts already: nothing is downloaded.
    want('{version: 0.34.0, env: {OLLAMA_NUM_PARALLEL: 6}}')
    await waitFor(
      'the version',
      async () => {
        const versions = await Promise.all(HOSTS.map((host) => versionOf(host).catch(() => '')))
        return versions.every((version) => version === '0.34.0')
      },
      {timeoutMs: 120_000},
    )
    await waitFor('both to serve', () => !readFileSync(file(), 'utf8').includes('drained: true'), {
      timeoutMs: 60_000,
    })
  })
  expect(sent).toBeGreaterThan(10)
  expect(failed).toBe(0)
  const plan = await lab.cli(['plan'])
  expect([plan.code, plan.stdout]).toEqual([0, ''])
}, 280_000)
