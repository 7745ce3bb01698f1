import {chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli, startCli} from '../support/run-cli.ts'
import {type TempHome, tempHome} from '../support/temp-home.ts'
import {waitFor} from '../support/wait-for.ts'

// Programs of the operator's that the cluster file names, run around a drain and an addition.

let home: TempHome
let node: FakeOllama
let file: string
beforeEach(async () => {
  home = tempHome()
  node = await startFakeOllama({})
  const clusters = join(home.dir, 'ollamax/clusters')
  mkdirSync(clusters, {recursive: true})
  file = join(clusters, 'default.yaml')
})
afterEach(async () => {
  await node.close()
  home.dispose()
})

const cli = (...args: string[]) => runCli(args, {env: home.env})
const seen = () => readFileSync(join(home.dir, 'seen'), 'utf8')
const text = () => readFileSync(file, 'utf8')

/** A program that writes down how it was called, then does the rest. */
function program(name: string, rest = ''): string {
  const path = join(home.dir, name)
  const line = '"$OLLAMAX_HOOK|$OLLAMAX_CLUSTER|$OLLAMAX_NODE|$OLLAMAX_TARGET|$*"'
  writeFileSync(path, `#!/bin/sh\necho ${line} >>'${home.dir}/seen'\n${rest}\n`, {mode: 0o755})
  return path
}

function write(hooks: Readonly<Record<string, {run: string[]; timeout?: string}>>): void {
  const head = 'apiVersion: ollamax/v1\nkind: Cluster\n'
  const nodes = `nodes:\n  - {name: n1, url: "${node.url}"}\n`
  writeFileSync(file, `${head}hooks: ${JSON.stringify(hooks)}\n${nodes}`)
}

test('hooks are told of the moment by their environment, and get their arguments without a shell between', async () => {
  const note = program('note', 'echo all is well')
  write({
    'before-drain': {run: [note, 'a b', '$HOME;']},
    'after-drain': {run: [note]},
    'after-add': {run: [note]},
  })
  const drained = await cli('node', 'drain', 'n1')
  expect([drained.code, drained.stdout]).toEqual([0, 'n1\tdrained\n'])
  expect(drained.stderr).toContain('before-drain: all is well')
  expect(seen()).toBe(
    `before-drain|default|n1|${node.url}|a b $HOME;\nafter-drain|default|n1|${node.url}|\n`,
  )
  // Nothing changes, so nothing is told.
  await cli('node', 'drain', 'n1')
  await cli('node', 'undrain', 'n1')
  expect(seen().split('\n')).toHaveLength(3)
  const other = await startFakeOllama({})
  const added = await cli('node', 'add', other.url, '--name', 'n2')
  await other.close()
  expect(added.code, added.stderr).toBe(0)
  expect(seen()).toContain(`after-add|default|n2|${other.url}|`)
})

test('a hook before a change that fails stops it with its last words; one after it is a warning', async () => {
  write({'before-drain': {run: [program('no', 'echo the pager says no >&2; exit 3')]}})
  const before = text()
  const refused = await cli('node', 'drain', 'n1')
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('HOOK_FAILED')])
  expect(refused.stderr).toContain('it ended with 3')
  expect(refused.stderr).toContain('the pager says no')
  expect(text()).toBe(before)
  write({'after-drain': {run: [program('late', 'exit 4')]}})
  const warned = await cli('node', 'drain', 'n1')
  expect([warned.code, warned.stdout]).toEqual([0, 'n1\tdrained\n'])
  expect(warned.stderr).toContain('the hook after-drain failed: it ended with 4')
})

test('a hook that hangs ends at its time, with all that it has started', async () => {
  const pid = join(home.dir, 'pid')
  write({
    'before-drain': {run: [program('hang', `sleep 600 & echo $! >'${pid}'; wait`)], timeout: '1s'},
  })
  const late = await cli('node', 'drain', 'n1')
  expect([late.code, late.stderr]).toEqual([1, expect.stringContaining('not done within 1 s')])
  const gone = () => !existsSync(`/proc/${readFileSync(pid, 'utf8').trim()}`)
  await waitFor('its child to be gone', gone)
  write({'before-drain': {run: [program('hang', `sleep 600 & echo $! >'${pid}'; wait`)]}})
  writeFileSync(pid, '')
  const running = startCli(['node', 'drain', 'n1'], {env: home.env})
  await waitFor('the hook to run', () => readFileSync(pid, 'utf8') !== '')
  running.child.kill('SIGINT')
  expect((await running.ended).code).toBe(130)
  await waitFor('its child to be gone', gone)
})

test('what others may write to is not run', async () => {
  const note = program('note')
  write({'before-drain': {run: [note]}})
  for (const path of [note, file]) {
    chmodSync(path, 0o777)
    const refused = await cli('node', 'drain', 'n1')
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('by others')])
    expect(refused.stderr).toContain(`chmod go-w ${path}`)
    chmodSync(path, 0o755)
  }
  expect(existsSync(join(home.dir, 'seen'))).toBe(false)
  write({'before-drain': {run: [join(home.dir, 'none')]}})
  expect((await cli('node', 'drain', 'n1')).stderr).toContain('there is no')
})

test('a cluster file from elsewhere has programs run only when that was allowed', async () => {
  write({'before-drain': {run: ['/bin/true', 'x']}})
  const from = join(home.dir, 'theirs.yaml')
  writeFileSync(from, text())
  const asked = await cli('cluster', 'import', from)
  expect([asked.code, asked.stderr]).toEqual([
    2,
    expect.stringContaining('before-drain: /bin/true x'),
  ])
  expect(asked.stderr).toContain('--allow-hooks')
  expect((await cli('cluster', 'import', from, '--yes')).code).toBe(2)
  expect((await cli('cluster', 'import', from, '--allow-hooks')).code).toBe(0)
})

test.each([
  [{'before-drain': {run: []}}, 'run'],
  [{'before-drain': {run: ['note']}}, 'absolute path'],
  [{'before-drian': {run: ['/bin/true']}}, 'did you mean "before-drain"?'],
])('%j is refused with its place', async (hooks, words) => {
  write(hooks)
  const {code, stderr} = await cli('config', 'validate')
  expect([code, stderr]).toEqual([2, expect.stringContaining(words)])
})
