import {join} from 'node:path'
import {describe, expect, test} from 'vitest'
import type {Rate} from '../../../src/lib/balancer/rates.ts'
import {embedTexts} from '../../../src/lib/jobs/embed-texts.ts'
import {readUse} from '../../../src/lib/state/leases.ts'
import {readRates} from '../../../src/lib/state/rates-file.ts'
import type {FakeOllama} from '../../support/fake-ollama.ts'
import {waitFor} from '../../support/wait-for.ts'
import {named, rejection, run, runHarness, spec} from './run-harness.ts'

const {start, startSilent, toolsFor} = runHarness()

describe('several nodes', () => {
  test('dead and silent ones are not waited for once another can answer', async () => {
    const silent = await startSilent()
    const [dead, good] = (await start({fault: {kind: 'refuse'}}, {})) as [FakeOllama, FakeOllama]
    const tools = toolsFor(named([silent, dead, good]))
    const {answer, notes} = run(tools)
    expect((await answer).node).toBe('n3')
    const ranked = notes.find((note) => note.kind === 'ranked')
    expect(ranked?.kind === 'ranked' && ranked.excluded).toMatchObject([
      {node: 'n1', reason: 'silent'},
      {node: 'n2', reason: 'down'},
    ])
    await waitFor('its connections to be closed', () => silent.open() === 0)
  })

  test('a node that was silent is not waited for by the next run, and a note of it is kept', async () => {
    const silent = await startSilent()
    const [good] = (await start({firstTokenDelayMs: 100})) as [FakeOllama]
    const tools = toolsFor(named([silent, good]))
    await run(tools).answer
    const kept = readRates<Rate>(join(tools.paths.cache, 'rates', 'default.json'))
    expect(kept.n1?.['*']).toHaveProperty('failedAtMs')
    const {answer, notes} = run(tools)
    expect((await answer).node).toBe('n2')
    expect(notes.find((note) => note.kind === 'ranked')).toMatchObject({
      excluded: [{node: 'n1', reason: 'silent'}],
    })
  })

  test('all are waited for when the first ones lack the model', async () => {
    const [other, late] = (await start({models: ['other']}, {})) as [FakeOllama, FakeOllama]
    const tools = toolsFor(named([other, late]))
    const {answer} = run({
      ...tools,
      async endpoint(node) {
        if (node.name === 'n2') await new Promise((resolve) => setTimeout(resolve, 700))
        return tools.endpoint(node)
      },
    })
    expect((await answer).node).toBe('n2')
  })

  test('a drained node gets nothing, unless it is named', async () => {
    const [a, b] = (await start({}, {})) as [FakeOllama, FakeOllama]
    const tools = toolsFor([spec(a.url, 'a', {drained: true}), spec(b.url, 'b')])
    for (let round = 0; round < 3; round++) expect((await run(tools).answer).node).toBe('b')
    expect(a.requests).toHaveLength(0)
    expect((await run(tools, {node: 'a'}).answer).node).toBe('a')
    const all = toolsFor([spec(a.url, 'a', {drained: true})])
    expect(await rejection(run(all).answer)).toMatchObject({
      code: 'NO_CANDIDATE',
      message: expect.stringContaining('drained'),
    })
  })

  test('requests one after the other go round among equals', async () => {
    const all = await start({}, {}, {})
    const tools = toolsFor(named(all))
    // All of them have the model in memory, as the first requests see to.
    for (const name of ['n1', 'n2', 'n3']) await run(tools, {node: name}).answer
    const seen: string[] = []
    for (let round = 0; round < 9; round++) seen.push((await run(tools).answer).node)
    for (const name of ['n1', 'n2', 'n3'])
      expect(seen.filter((one) => one === name).length).toBeGreaterThanOrEqual(2)
  })

  test('a lease is held while the answer runs, and given back', async () => {
    const all = await start({}, {})
    const tools = toolsFor(named(all))
    const dir = join(tools.paths.run, 'leases', 'default')
    const total = () =>
      [...readUse(dir, ['n1', 'n2']).values()].reduce((sum, use) => sum + use.inFlight, 0)
    let during = 0
    await run(tools, {
      show() {
        during = total()
        return true
      },
    }).answer
    expect(during).toBe(1)
    expect(total()).toBe(0)
  })

  test('nobody has the model: the nearest name, and every node that could take it', async () => {
    const silent = await startSilent()
    const all = await start({models: ['llama3.2:1b']}, {models: ['qwen2.5:7b'], gpuShare: 1})
    const tools = toolsFor(named(all))
    const error = await rejection(run(tools, {body: {model: 'qwen2.5:72b', prompt: 'hi'}}).answer)
    expect(error).toMatchObject({code: 'MODEL_NOT_FOUND', details: {near: 'qwen2.5:7b'}})
    expect((error.details.takers as string[]).toSorted()).toEqual(['n1', 'n2'])
    expect(silent.open()).toBe(0)
  })

  test('no node answers: each is named', async () => {
    const all = await start({fault: {kind: 'refuse'}}, {fault: {kind: 'refuse'}})
    expect(await rejection(run(toolsFor(named(all))).answer)).toMatchObject({
      code: 'NO_CANDIDATE',
      message: expect.stringMatching(/n1: .*\n {2}n2: /),
    })
  })

  test('a name that is no node is refused', async () => {
    const all = await start({})
    expect(await rejection(run(toolsFor(named(all)), {node: 'x'}).answer)).toMatchObject({
      code: 'NODE_NOT_FOUND',
    })
    expect(await rejection(run(toolsFor([])).answer)).toMatchObject({code: 'NO_CANDIDATE'})
  })
})

test('a model that nobody has is pulled on demand, then runs there', async () => {
  const all = await start(
    {models: ['other'], pullable: ['tiny']},
    {models: ['other'], pullable: ['tiny']},
  )
  const events: string[] = []
  const {answer} = run(toolsFor(named(all)), {
    pull: true,
    progress: async () => ({
      report: (report) => void events.push(report.kind),
      stop: async () => void events.push('stopped'),
    }),
  })
  const {node} = await answer
  const puller = all.findIndex((one) => one.requests.some(({path}) => path === '/api/pull'))
  expect(node).toBe(`n${puller + 1}`)
  expect(events[0]).toBe('start')
  expect(events.slice(-2)).toEqual(['done', 'stopped'])
})

test('a model that the registry does not have either is not found', async () => {
  const [node] = (await start({models: []})) as [FakeOllama]
  expect(await rejection(run(toolsFor(named([node])), {pull: true}).answer)).toMatchObject({
    code: 'MODEL_NOT_FOUND',
    message: expect.stringContaining('n1 cannot pull tiny'),
  })
})

test('an answer that takes longer than the caller wants is a timeout, and is cancelled upstream', async () => {
  const [node] = (await start({loadMs: 60_000})) as [FakeOllama]
  const {answer} = run(toolsFor(named([node])), {timeoutMs: 100})
  expect(await rejection(answer)).toMatchObject({code: 'TIMEOUT'})
  await waitFor('the node to see it', () => node.cancelled === 1)
})

test('texts are embedded where the model can do it', async () => {
  const embedder = {name: 'embedder', capabilities: ['embedding']}
  const all = await start(
    {models: [{...embedder, capabilities: ['completion']}]},
    {models: [embedder]},
  )
  const {node, embeddings} = await embedTexts(toolsFor(named(all)), {
    body: {model: 'embedder', input: ['a', 'b']},
    signal: new AbortController().signal,
  })
  expect(node).toBe('n2')
  expect(embeddings).toHaveLength(2)
})
