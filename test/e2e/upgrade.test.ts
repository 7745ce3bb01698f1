import {appendFileSync, readFileSync, writeFileSync} from 'node:fs'
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
  // Six seconds an answer, far longer than it takes to look at a node and to try it: a drain that does not wait cuts it.
  for (const host of HOSTS) await script(host, {decodeTokensPerS: 100, answerTokens: 600, slots: 8})
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
    while (!over) got.push(...(await load(32, 16)))
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
  expect(sent).toBeGreaterThan(50)
  for (const host of HOSTS) expect(by(`h${host}`)).toBeGreaterThan(0)
  expect(await versions()).toEqual(all('0.34.0'))
}, 280_000)

const rows = async (args: string[], options = {}) => {
  const ran = await lab.cli(['node', ...args, '--yes', '--pause', '1s', '--json'], {
    timeoutMs: 200_000,
    ...options,
  })
  const said = JSON.parse(ran.stdout)
  const nodes = said.nodes ?? said.error?.details?.nodes
  return {
    ...ran,
    nodes: nodes as {name: string; outcome: string; to?: string; leftDrained: boolean}[],
  }
}

test('rollback goes back to what was there before, also below an account, and brings nothing', async () => {
  const {code, stderr, nodes} = await rows(['rollback', '--waves', '1'])
  expect(code, stderr).toBe(0)
  expect(nodes.map(({name, outcome, to}) => [name, outcome, to])).toEqual(
    HOSTS.map((host) => [`h${host}`, 'changed', '0.33.0']),
  )
  expect(await versions()).toEqual(all('0.33.0'))
  const changes = await json('audit', '--limit', '1000')
  const back = changes.changes.filter(({by}: {by: string}) => by === 'node rollback')
  expect(back.map(({what}: {what: string}) => what)).not.toContain('carry the archive over')
  expect(new Set(back.map(({node}: {node: string}) => node)).size).toBe(4)
}, 200_000)

test('a canary that is much slower than before is rolled back, and no other node is touched', async () => {
  // The server that runs has read its script long ago.
  await script(2, {decodeTokensPerS: 30, answerTokens: 40})
  const upgrading = ['upgrade', '--artifact', young.file, '--canary', 'h2']
  const {code, nodes, stdout} = await rows(upgrading)
  await script(2, {decodeTokensPerS: 100, answerTokens: 40, slots: 8})
  expect(code).toBe(1)
  expect(nodes.map(({name, outcome, leftDrained}) => [name, outcome, leftDrained])).toEqual([
    ['h2', 'rolled-back', false],
    ...['h1', 'h3', 'h4'].map((name) => [name, 'not-begun', false]),
  ])
  expect(stdout).toMatch(/tiny:latest answers with \d+\.\d tokens\/s, \d+ % of the \d+\.\d before/)
  expect(await versions()).toEqual(all('0.33.0'))
}, 200_000)

test('a bad wave is rolled back as a whole, and what was good before it stays', async () => {
  await script(3, {decodeTokensPerS: 30, answerTokens: 40})
  const {code, nodes} = await rows(['upgrade', '--artifact', young.file, '--waves', '1'])
  await script(3, {decodeTokensPerS: 100, answerTokens: 40, slots: 8})
  expect(code).toBe(1)
  expect(nodes.map(({name, outcome, to}) => [name, outcome, to])).toEqual([
    ['h1', 'changed', '0.34.0'],
    ['h2', 'rolled-back', '0.33.0'],
    ['h3', 'rolled-back', '0.33.0'],
    ['h4', 'rolled-back', '0.33.0'],
  ])
  const old3 = ['0.33.0', false]
  expect(await versions()).toEqual([['0.34.0', false], old3, old3, old3])
}, 200_000)

/** A request on a host that ends only when it is broken off. */
async function endless(host: number) {
  const body = JSON.stringify({model: 'tiny', prompt: 'x', options: {num_predict: 100_000}})
  await script(host, {decodeTokensPerS: 50, answerTokens: 100_000})
  await lab.cli(['node', 'restart', `h${host}`, '--yes'])
  await lab.exec(
    host,
    `rm -f /tmp/stream; nohup curl -sN 127.0.0.1:11434/api/generate -d '${body}' >/tmp/stream 2>&1 & for n in $(seq 100); do [ -s /tmp/stream ] && exit; sleep .1; done; exit 1`,
  )
  return async () => {
    await lab.exec(host, 'pkill -x curl')
    await script(host, {decodeTokensPerS: 100, answerTokens: 40, slots: 8})
  }
}

test('requests that do not end keep a node as it is, and it takes new ones again', async () => {
  const breakOff = await endless(2)
  const late = await rows(['upgrade', 'h2', '--artifact', young.file, '--drain-timeout', '1s'])
  expect(late.nodes).toMatchObject([{name: 'h2', outcome: 'failed', leftDrained: false}])
  expect(late.stdout).toContain('requests still run on h2')
  expect(await lab.exec(2, 'pgrep -xc curl')).toBe('1\n')
  await breakOff()
  expect((await versions())[1]).toEqual(['0.33.0', false])
}, 100_000)

test('an upgrade that is interrupted or killed at any step is completed by the same command', async () => {
  const words = ['node', 'upgrade', 'h2', '--artifact', young.file, '--yes', '--progress', 'plain']
  for (const [signal, at] of [
    ['SIGINT', /drain/],
    ['SIGKILL', /switch to/],
    ['SIGINT', /try it/],
  ] as const) {
    const running = lab.startCli(words)
    await waitFor(`${signal} at ${at}`, () => at.test(running.stderr()), {timeoutMs: 60_000})
    running.child.kill(signal)
    await running.ended
    if (signal === 'SIGINT' && String(at) === '/drain/') {
      expect((await versions())[1]).toEqual(['0.33.0', false])
      continue
    }
    const {code, nodes, stderr} = await rows(['upgrade', 'h2', '--artifact', young.file])
    expect(code, `${signal} ${at}: ${stderr}`).toBe(0)
    expect(nodes).toMatchObject([{name: 'h2', to: '0.34.0'}])
    expect((await versions())[1]).toEqual(['0.34.0', false])
    const back = await rows(['rollback', 'h2'])
    expect(back.nodes).toMatchObject([{name: 'h2', outcome: 'changed', to: '0.33.0'}])
  }
}, 280_000)

test('two at once are not had: the second one is told who upgrades what', async () => {
  // It cannot be done before the second one has come.
  const breakOff = await endless(2)
  const words = ['node', 'upgrade', 'h2', '--artifact', young.file, '--yes', '--progress', 'plain']
  const running = lab.startCli(words)
  await waitFor('the drain', () => /still run there/.test(running.stderr()), {timeoutMs: 60_000})
  const second = await lab.cli(['node', 'upgrade', 'h3', '--artifact', young.file, '--yes'])
  expect([second.code, second.stderr]).toEqual([5, expect.stringContaining('upgrade h2 to')])
  await breakOff()
  expect((await running.ended).code).toBe(0)
}, 100_000)

test('what was there before ollamax is not upgraded, and a drained node stays drained', async () => {
  const text = await lab.cli(['node', 'drain', 'h3'])
  expect(text.code).toBe(0)
  const {code, nodes} = await rows(['upgrade', 'h3', '--artifact', young.file])
  expect([code, nodes[0]?.outcome]).toEqual([0, 'changed'])
  expect((await versions())[2]).toEqual(['0.34.0', true])
  await lab.cli(['node', 'undrain', 'h3'])
  const url = await lab.cli([
    'node',
    'add',
    'ops@h1',
    '--name',
    'x1',
    '--no-install',
    '--port',
    '11434',
  ])
  expect(url.code, url.stderr).toBe(0)
  const refused = await lab.cli(['node', 'upgrade', 'x1', '--artifact', young.file, '--yes'])
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('not ours to change')])
}, 100_000)

test('a machine that the operator of another one changes is left alone until its lock is taken away', async () => {
  const lock = '/opt/ollama/.ollamax/deploy-lock'
  const since = '2026-01-01T00:00:00.000Z'
  const holder = {nonce: 'abc', pid: 1, start: 'x 1', host: 'desk', why: 'ann@desk: upgrade', since}
  await lab.exec(1, `cat >${lock}`, {stdin: JSON.stringify(holder)})
  const before = await versions()
  const refused = await lab.cli(['node', 'rollback', 'h1', '--yes'])
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('ann@desk: upgrade')])
  expect(refused.stderr).toContain('ollamax lock release --node h1')
  expect(await versions()).toEqual(before)
  const status = await json('lock', 'status', '--node', 'h1', '--node', 'h2')
  expect(status.nodes).toMatchObject([
    {node: 'h1', held: true, why: 'ann@desk: upgrade', since},
    {node: 'h2', held: false},
  ])
  const asked = await lab.cli(['lock', 'release', '--node', 'h1'])
  expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('ann@desk: upgrade')])
  expect((await lab.cli(['lock', 'release', '--node', 'h1', '--yes'])).code).toBe(0)
  expect((await lab.cli(['node', 'rollback', 'h1', '--yes'])).code).toBe(0)
  expect(await lab.exec(1, `ls ${lock} 2>&1 || :`)).toContain('No such file')
}, 100_000)

test('a changed environment rolls the same way, and the hooks of the cluster file are told of it', async () => {
  const clusterFile = join(lab.home.env.OLLAMAX_HOME ?? '', 'clusters/default.yaml')
  const seen = join(lab.home.dir, 'hooks-seen')
  const hook = join(lab.home.dir, 'hook')
  writeFileSync(hook, `#!/bin/sh\necho "$OLLAMAX_HOOK $OLLAMAX_NODE" >>'${seen}'\n`, {mode: 0o755})
  const names = ['before-upgrade', 'after-upgrade', 'before-drain', 'after-drain']
  const hooks = names.map((name) => `  ${name}: {run: [${hook}]}\n`)
  appendFileSync(clusterFile, `hooks:\n${hooks.join('')}`)
  const set = ['config', 'set', 'nodes.h1.ollama.env.OLLAMA_KEEP_ALIVE', '17m']
  expect((await lab.cli(set)).code).toBe(0)
  const [version = ''] = (await versions())[0]
  const {code, nodes, stderr} = await rows(['upgrade', 'h1', '--version', version])
  expect(code, stderr).toBe(0)
  expect(nodes).toMatchObject([{name: 'h1', outcome: 'changed', to: version}])
  const env = await lab.exec(1, 'tr "\\0" "\\n" </proc/$(systemctl show -P MainPID ollama)/environ')
  expect(env).toContain('OLLAMA_KEEP_ALIVE=17m')
  expect(readFileSync(seen, 'utf8').trim().split('\n')).toEqual([
    'before-upgrade h1',
    'before-drain h1',
    'after-drain h1',
    'after-upgrade h1',
  ])
  const again = await rows(['upgrade', 'h1', '--version', version])
  expect(again.nodes).toMatchObject([{name: 'h1', outcome: 'unchanged'}])
}, 100_000)
