import {appendFileSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, expect, test} from 'vitest'
import {clusterHome} from '../support/cluster-home.ts'
import type {FakeOptions} from '../support/fake-ollama/options.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli, startCli} from '../support/run-cli.ts'
import type {TempHome} from '../support/temp-home.ts'
import {waitFor} from '../support/wait-for.ts'

const open: Array<FakeOllama | TempHome> = []
afterEach(async () => {
  for (const one of open.splice(0)) await ('close' in one ? one.close() : one.dispose())
})

async function node(options: FakeOptions = {}): Promise<FakeOllama> {
  const started = await startFakeOllama({models: ['tiny', 'other'], ...options})
  open.push(started)
  return started
}

const fileOf = ({env}: TempHome) => join(env.OLLAMAX_HOME ?? '', 'clusters/default.yaml')

/** A home whose cluster has these nodes, n1, n2..., and wants tiny in the memory of all of them. */
function home(nodes: readonly FakeOllama[]): TempHome {
  const made = clusterHome(nodes)
  open.push(made)
  appendFileSync(fileOf(made), 'models: [{name: tiny, replicas: all, warm: true}]\n')
  return made
}

const namesOf = async ({url}: FakeOllama, path: string) => {
  const {models} = (await (await fetch(`${url}${path}`)).json()) as {models: {name: string}[]}
  return models.map(({name}) => name)
}
const inMemory = (of: FakeOllama) => namesOf(of, '/api/ps')
const onDisk = (of: FakeOllama) => namesOf(of, '/api/tags')

/** Until a node was asked to load something. */
const loading = (of: FakeOllama) =>
  waitFor('the load', () => of.requests.some(({path}) => path === '/api/generate'))

test('it does what plan shows, and then there is nothing to do', async () => {
  const [a, b] = [await node(), await node({models: ['tiny']})]
  const {env} = home([a, b])
  const applied = await runCli(['apply', '--yes', '--prune', '--json'], {env})
  expect(applied.code, applied.stderr).toBe(0)
  expect(JSON.parse(applied.stdout)).toMatchObject({
    cluster: 'default',
    actions: [
      {node: 'n1', kind: 'warm', model: 'tiny', outcome: 'done'},
      {node: 'n2', kind: 'warm', model: 'tiny', outcome: 'done'},
      {node: 'n1', kind: 'remove', model: 'other:latest', outcome: 'done'},
    ],
    left: 0,
  })
  expect([await inMemory(a), await inMemory(b), await onDisk(a)]).toEqual([
    ['tiny:latest'],
    ['tiny:latest'],
    ['tiny:latest'],
  ])
  expect((await runCli(['plan', '--prune'], {env})).code).toBe(0)
  const again = await runCli(['apply', '--yes'], {env})
  expect(again).toMatchObject({
    code: 0,
    stdout: '',
    stderr: 'All is as the cluster file wants it.\n',
  })
})

test('without a terminal it shows the plan and needs --yes', async () => {
  const a = await node()
  const refused = await runCli(['apply'], {env: home([a]).env})
  expect([refused.code, refused.stdout]).toEqual([2, ''])
  expect(refused.stderr).toContain('CONFIRM_NEEDED')
  expect(refused.stderr).toContain('1\tn1\twarm\ttiny\t')
  expect(await inMemory(a)).toEqual([])
})

test('a wish that cannot be met stops it before anything is touched', async () => {
  const [a, b] = [await node(), await node({models: []})]
  const unmet = await runCli(['apply', '--yes'], {env: home([a, b]).env})
  expect([unmet.code, unmet.stderr]).toEqual([1, expect.stringContaining('PLAN_UNMET')])
  expect(await inMemory(a)).toEqual([])
})

test('what fails is told, and no later wave is begun', async () => {
  const [a, b] = [await node({fault: {kind: 'status', status: 500, on: 'inference'}}), await node()]
  const {env} = home([a, b])
  const failed = await runCli(['apply', '--yes', '--prune'], {env})
  expect(failed.code).toBe(1)
  expect(failed.stderr).toContain('1 of 4 actions failed; 2 after it not begun:\nn1: load tiny')
  expect(failed.stdout.split('\n').map((line) => line.split('\t').slice(0, 3))).toEqual([
    ['n1', 'load tiny and keep it in memory', 'failed'],
    ['n2', 'load tiny and keep it in memory', 'done'],
    ['n1', expect.stringContaining('remove other:latest'), 'not-begun'],
    ['n2', expect.stringContaining('remove other:latest'), 'not-begun'],
    [''],
  ])
  expect([await onDisk(a), await onDisk(b)]).toEqual([
    ['tiny:latest', 'other:latest'],
    ['tiny:latest', 'other:latest'],
  ])
})

test('a second one at the same time finds the lock taken, and is told by whom', async () => {
  const slow = await node({loadMs: 30_000})
  const {env} = home([slow])
  const first = startCli(['apply', '--yes'], {env})
  await loading(slow)
  const second = await runCli(['apply', '--yes'], {env})
  expect([second.code, second.stderr]).toEqual([5, expect.stringContaining('LOCKED')])
  expect(second.stderr).toMatch(/process \d+ on .*apply, 1 change/)
  first.child.kill('SIGINT')
  const ended = await first.ended
  expect([ended.code, ended.stderr]).toEqual([
    130,
    expect.stringContaining('not finished: n1: load tiny and keep it in memory'),
  ])
  // The lock has gone with it.
  await slow.set({loadMs: 0})
  expect((await runCli(['apply', '--yes'], {env})).code).toBe(0)
})

test('a cluster file that is edited meanwhile ends it after the wave, and what was done is told', async () => {
  const slow = await node({loadMs: 1500})
  const made = home([slow])
  const running = startCli(['apply', '--yes', '--prune'], {env: made.env})
  await loading(slow)
  appendFileSync(fileOf(made), 'aliases: {quick: tiny}\n')
  const {code, stderr} = await running.ended
  expect([code, stderr]).toEqual([5, expect.stringContaining('PLAN_CHANGED')])
  expect(stderr).toContain('done so far: n1: load tiny and keep it in memory')
  expect(await onDisk(slow)).toEqual(['tiny:latest', 'other:latest'])
})

test('a node that is drained meanwhile gets nothing any more', async () => {
  const [slow, spared] = [await node({loadMs: 1500}), await node()]
  const made = home([slow, spared])
  const running = startCli(['apply', '--yes', '--concurrency', '1'], {env: made.env})
  await loading(slow)
  const file = fileOf(made)
  writeFileSync(
    file,
    readFileSync(file, 'utf8').replace('- name: n2', '- drained: true\n    name: n2'),
  )
  const {code, stdout} = await running.ended
  expect([code, stdout.split('\n')[1]]).toEqual([
    0,
    'n2\tload tiny and keep it in memory\tleft-out\t-\tit was drained meanwhile',
  ])
  expect(await inMemory(spared)).toEqual([])
})
