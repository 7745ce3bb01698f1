import {appendFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, expect, test} from 'vitest'
import {clusterHome} from '../support/cluster-home.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli} from '../support/run-cli.ts'
import type {TempHome} from '../support/temp-home.ts'

const open: Array<{close(): Promise<void>} | TempHome> = []
afterEach(async () => {
  for (const one of open.splice(0)) await ('close' in one ? one.close() : one.dispose())
})

async function node(models: readonly string[]): Promise<FakeOllama> {
  const started = await startFakeOllama({models})
  open.push(started)
  return started
}

/** A home whose cluster has these nodes, n1, n2..., and wants what `wanted` says. */
function home(nodes: readonly FakeOllama[], wanted: string): TempHome {
  const made = clusterHome(nodes)
  open.push(made)
  appendFileSync(join(made.env.OLLAMAX_HOME ?? '', 'clusters/default.yaml'), wanted)
  return made
}

test('exit 0: all is as it is wanted, and nothing is printed', async () => {
  const {env} = home([await node(['tiny'])], 'models: [{name: tiny}]\n')
  expect(await runCli(['plan'], {env})).toEqual({
    code: 0,
    stdout: '',
    stderr: 'All is as the cluster file wants it.\n',
  })
  const {stdout} = await runCli(['plan', '--json'], {env})
  expect(JSON.parse(stdout)).toMatchObject({
    cluster: 'default',
    changes: 0,
    waves: [],
    replicas: [{model: 'tiny', node: 'n1', kept: true, why: 'has it already'}],
  })
  const why = await runCli(['plan', '--explain'], {env})
  expect(why.stdout).toBe('tiny\tn1\thas\thas it already\n')
})

test('exit 2: something is to be done, which is said line by line', async () => {
  const {env} = home([await node(['tiny', 'other'])], 'models: [{name: tiny, warm: true}]\n')
  const plan = await runCli(['plan', '--prune'], {env})
  expect([plan.code, plan.stdout.split('\n')]).toEqual([
    2,
    [
      '1\tn1\twarm\ttiny\tload tiny and keep it in memory\tit is not in memory',
      expect.stringMatching(
        /^2\tn1\tremove\tother:latest\tremove other:latest \(.*\)\tthe cluster file does not name it$/,
      ),
      '',
    ],
  ])
})

test('exit 1: a wish that cannot be met, a broken file and a wrong flag alike', async () => {
  const nodes = [await node(['tiny']), await node([])]
  const unmet = await runCli(['plan'], {
    env: home(nodes, 'models: [{name: tiny, replicas: 3}]\n').env,
  })
  expect([unmet.code, unmet.stderr]).toEqual([1, expect.stringContaining('PLAN_UNMET')])
  expect(unmet.stderr).toMatch(
    /tiny needs \S+ on 3 nodes; only 1 can have it: n2 does not tell its free disk\n/,
  )
  const {env} = home(nodes, 'models: [{nam: tiny}]\n')
  expect(await runCli(['plan'], {env})).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('models[0].nam is not a known key'),
  })
  expect(await runCli(['plan', '--json'], {env})).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('CONFIG_INVALID'),
  })
  expect((await runCli(['plan', '--wrong'], {env})).code).toBe(1)
})

test('a node that does not answer is told, and is no agreement', async () => {
  const nodes = [await node(['tiny']), await node(['tiny'])]
  const {env} = home(nodes, 'models: [{name: tiny}]\n')
  await nodes[1]?.close()
  const plan = await runCli(['plan'], {env})
  expect([plan.code, plan.stderr]).toEqual([1, expect.stringContaining('SOME_NODES_FAILED')])
  expect(plan.stderr).toContain('n2 could not be read and is left alone')
})

test('--prune is refused where no model is named: it would remove them all', async () => {
  const {env} = home([await node(['tiny'])], '')
  const plan = await runCli(['plan', '--prune'], {env})
  expect([plan.code, plan.stderr]).toEqual([1, expect.stringContaining('names no models')])
})

test('a version that is wanted of a node that is not ours to change is told', async () => {
  const {env} = home([await node(['tiny'])], 'groups: [{labels: {}, ollama: {version: 0.99.0}}]\n')
  const plan = await runCli(['plan'], {env})
  expect([plan.code, plan.stderr]).toEqual([
    0,
    expect.stringContaining('n1: Ollama 0.33.0 answers and 0.99.0 is wanted'),
  ])
})

test('diff says key by key what plan would do something about, with the same exit codes', async () => {
  const nodes = [await node(['tiny'])]
  const differs = await runCli(['diff'], {
    env: home(nodes, 'models: [{name: tiny, warm: true}]\n').env,
  })
  expect(differs).toMatchObject({
    code: 2,
    stdout: 'n1\tmemory tiny\tloaded\tit is not in memory\n',
  })
  const {env} = home(nodes, 'models: [{name: tiny}]\n')
  expect(await runCli(['diff'], {env})).toMatchObject({code: 0, stdout: ''})
  expect(JSON.parse((await runCli(['diff', '--json'], {env})).stdout)).toEqual({
    ...{cluster: 'default', differences: [], files: []},
  })
  expect((await runCli(['diff', '--wrong'], {env})).code).toBe(1)
})

test('status --drift tells of each node what apply would do there', async () => {
  const nodes = [await node(['tiny']), await node([]), await node([])]
  const {env} = home(nodes, 'models: [{name: tiny, warm: true}]\n')
  await nodes[2]?.close()
  const {code, stdout} = await runCli(['status', '--drift', '--json'], {env})
  expect(code).toBe(0)
  expect(JSON.parse(stdout).nodes.map(({drift}: {drift: unknown}) => drift)).toEqual([
    ['load tiny and keep it in memory'],
    [],
    'unknown',
  ])
  const lines = (await runCli(['status', '--drift'], {env})).stdout.split('\n')
  expect(lines.map((line) => line.split('\t').at(-1))).toEqual([
    'load tiny and keep it in memory',
    'none',
    'unknown',
    '',
  ])
})
