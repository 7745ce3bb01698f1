import {appendFileSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect, test} from 'vitest'
import {serveHarness} from '../support/serve-harness.ts'

const it = serveHarness()
const FAST = {
  slots: 2,
  decodeTokensPerS: 200,
  prefillTokensPerS: 4000,
  loadMs: 400,
  answerTokens: 500,
}
const SLOW = {decodeTokensPerS: 100, prefillTokensPerS: 1000, loadMs: 600, answerTokens: 500}
/** What a load of 600 ms is measured as at least: a timer may end a moment before its time. */
const LOADED = 590
const bench = (...more: string[]) =>
  it.cli('bench', '--sizes', '64,256', '--rounds', '2', '--progress', 'none', ...more)

interface Figure {
  readonly name: string
  readonly value: number
  readonly last?: number
  readonly ratio?: number
}
const figure = (figures: readonly Figure[], name: string) =>
  figures.find((one) => one.name === name) ?? {name: 'none', value: Number.NaN}

test('tells what each node does, compares with the last time, and is what the balancer knows then', async () => {
  it.write([await it.node(FAST), await it.node(SLOW)])
  const first = await bench('--json')
  expect(first.code).toBe(0)
  const {model, nodes} = JSON.parse(first.stdout)
  expect(model).toBe('tiny:latest')
  const [fast, slow] = nodes
  expect(fast).toMatchObject({node: 'n1', version: '0.33.0', gpuShare: 0})
  expect(figure(fast.figures, 'slots').value).toBe(2)
  expect(figure(slow.figures, 'slots').value).toBe(1)
  const slowest = figure(slow.figures, 'decode').value
  expect(slowest).toBeLessThan(105)
  expect(figure(fast.figures, 'decode').value).toBeGreaterThan(slowest)
  expect(figure(slow.figures, 'prefill of 256').value).toBeGreaterThan(0)
  expect(figure(slow.figures, 'load').value).toBeGreaterThan(LOADED)
  expect(fast.raw.length).toBeGreaterThan(8)

  const again = await bench('n1', '--json', '--cold', '--yes')
  const [compared] = JSON.parse(again.stdout).nodes
  expect(compared.comparedWith).toEqual(expect.any(String))
  const load = figure(compared.figures, 'load')
  expect(load.last).toBe(figure(fast.figures, 'load').value)
  expect(load.ratio).toBeCloseTo(load.value / (load.last ?? 0))

  const rates = JSON.parse(
    readFileSync(join(it.home().env.OLLAMAX_HOME ?? '', 'cache/rates/default.json'), 'utf8'),
  )
  const known = rates.n1['registry.ollama.ai/library/tiny:latest']
  expect(known.answerTps).toBe(figure(compared.figures, 'decode').value)
  expect(known.loadMs).toBe(load.value)
})

test('people and pipes get a row for each figure, and what was done to the nodes is said', async () => {
  it.write([await it.node(SLOW)])
  const {code, stdout, stderr} = await bench()
  expect(code).toBe(0)
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((row) => row.split('\t'))
  expect(rows.map((row) => row.length)).toEqual(rows.map(() => 6))
  expect(rows.map(([, name]) => name)).toContain('prefill of 64')
  expect(stderr).toContain('may drive another one out')
  expect(stderr).toContain('hardware unknown')
})

test('a model in memory is taken out only with consent', async () => {
  const node = await it.node(SLOW)
  it.write([node])
  expect((await bench()).code).toBe(0)
  const before = node.requests.length
  const refused = await bench('--cold')
  expect(refused).toMatchObject({code: 2, stderr: expect.stringContaining('CONFIRM_NEEDED')})
  expect(node.requests.slice(before).every(({method}) => method === 'GET')).toBe(true)
})

test('drained nodes are left out unless they are named; one that is down has a row that says so', async () => {
  const up = await it.node(SLOW)
  const drained = await it.node(SLOW)
  const file = it.write([up])
  appendFileSync(file, `  - {name: n2, url: "${drained.url}", drained: true}\n`)
  const {stdout, code} = await bench('--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({nodes: [{node: 'n1'}], drained: ['n2']})
  expect(drained.requests).toEqual([])
  const named = await bench('n2', '--json')
  expect(JSON.parse(named.stdout)).toMatchObject({nodes: [{node: 'n2'}], drained: []})
  await up.set({fault: {kind: 'refuse'}})
  const down = await bench('--json', '--model', 'tiny')
  expect(down.code).toBe(1)
  expect(JSON.parse(down.stdout).error).toMatchObject({
    code: 'SOME_NODES_FAILED',
    details: {nodes: [{node: 'n1', error: {code: 'NODE_UNREACHABLE'}}]},
  })
})

test('at the deadline a node is left with what was measured until then', async () => {
  it.write([await it.node({...SLOW, decodeTokensPerS: 10})])
  const {code, stdout} = await bench('--json', '--timeout', '12s')
  expect(code).toBe(0)
  const [node] = JSON.parse(stdout).nodes
  expect(node.stopped).toContain('12000 ms')
  expect(figure(node.figures, 'load').value).toBeGreaterThan(LOADED)
  expect(figure(node.figures, 'slots').name).toBe('none')
})
