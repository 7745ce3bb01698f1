import type {AddressInfo} from 'node:net'
import {createServer, type Socket} from 'node:net'
import {join} from 'node:path'
import {afterEach, beforeEach, describe, expect, test} from 'vitest'
import {askNobody} from '../../../src/lib/cluster/ask.ts'
import type {Cluster, NodeSpec} from '../../../src/lib/cluster/node.ts'
import type {DispatchNote} from '../../../src/lib/jobs/ask-node.ts'
import {embedTexts} from '../../../src/lib/jobs/embed-texts.ts'
import {type RunOptions, type RunTools, runModel} from '../../../src/lib/jobs/run-model.ts'
import {readUse, takeLease} from '../../../src/lib/state/leases.ts'
import {readRates} from '../../../src/lib/state/rates-file.ts'
import type {FakeOptions} from '../../support/fake-ollama/options.ts'
import {type FakeOllama, startFakeOllama} from '../../support/fake-ollama.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'
import {waitFor} from '../../support/wait-for.ts'

let home: TempHome
const nodes: FakeOllama[] = []
const closers: Array<() => void> = []
beforeEach(() => {
  home = tempHome()
})
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()))
  for (const close of closers.splice(0)) close()
  home.dispose()
})

async function start(...options: FakeOptions[]): Promise<FakeOllama[]> {
  const started = await Promise.all(options.map((one) => startFakeOllama(one)))
  nodes.push(...started)
  return started
}

/** An address where connections are taken and nothing is ever said. */
async function startSilent(): Promise<{url: string; open: () => number}> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.resume()
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const {port} = server.address() as AddressInfo
  return {url: `http://127.0.0.1:${port}`, open: () => sockets.size}
}

const spec = (url: string, name: string, more: Partial<NodeSpec> = {}) =>
  ({
    kind: 'direct',
    name,
    url,
    headers: {},
    labels: {},
    drained: false,
    ollama: {},
    ...more,
  }) as NodeSpec

function toolsFor(specs: readonly NodeSpec[], more: Partial<Cluster> = {}): RunTools {
  const cluster: Cluster = {name: 'default', nodes: specs, ...more}
  return {
    cluster: async () => cluster,
    async endpoint(node) {
      if (node.kind !== 'direct') throw new Error(`no way to ${node.name}`)
      return {kind: 'url', url: node.url, headers: {}}
    },
    paths: {
      config: home.dir,
      data: home.dir,
      cache: join(home.dir, 'cache'),
      run: join(home.dir, 'run'),
    },
    ask: askNobody,
  }
}
const named = (list: readonly {url: string}[]) => list.map(({url}, at) => spec(url, `n${at + 1}`))

/** Runs a prompt and keeps what was shown and what happened on the way. */
function run(tools: RunTools, more: Partial<RunOptions> = {}) {
  const shown: string[] = []
  const notes: DispatchNote[] = []
  const answer = runModel(tools, {
    body: {model: 'tiny', prompt: 'hi'},
    signal: new AbortController().signal,
    show({text}) {
      if (text) shown.push(text)
      return text !== ''
    },
    note: (note) => void notes.push(note),
    ...more,
  })
  return {answer, shown, notes, text: () => shown.join('')}
}
/** Makes the policy `round-robin` take this node after all others. */
function useLast(tools: RunTools, name: string): void {
  takeLease(join(tools.paths.run, 'leases', 'default'), [name], () => name)?.release()
}
const rejection = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it must fail'),
    (error: unknown) =>
      error as {
        code: string
        message: string
        suggestions: string[]
        details: Record<string, unknown>
      },
  )
const inference = (node: FakeOllama) =>
  node.requests.filter(({path}) => path === '/api/generate' || path === '/api/chat').length

describe('one node', () => {
  test('is asked without being read first, and its rates are learned', async () => {
    const [node] = (await start({decodeTokensPerS: 1000, loadMs: 300})) as [FakeOllama]
    const tools = toolsFor(named([node]))
    const {answer, text} = run(tools)
    const {response, node: name, stats, attempts} = await answer
    expect(text()).toBe(response)
    expect(response).not.toBe('')
    expect(name).toBe('n1')
    expect(attempts).toMatchObject([{node: 'n1', ok: true}])
    expect(stats.answerTokens).toBe(16)
    expect(node.requests.map(({path}) => path)).toEqual(['/api/generate'])
    expect(node.requests[0]?.body).not.toHaveProperty('options')
    const learned = readRates(join(tools.paths.cache, 'rates', 'default.json'))
    expect(learned.n1?.['registry.ollama.ai/library/tiny:latest']).toMatchObject({
      answerTps: expect.any(Number),
      loadMs: expect.any(Number),
    })
  })

  test('that lacks the model says so, with the nearest name and who could take it', async () => {
    const [node] = (await start({models: ['llama3.2:1b']})) as [FakeOllama]
    const {answer} = run(toolsFor(named([node])), {body: {model: 'lama3.2:1b', prompt: 'hi'}})
    const error = await rejection(answer)
    expect(error).toMatchObject({
      code: 'MODEL_NOT_FOUND',
      message: 'n1 does not have the model "lama3.2:1b"',
      details: {near: 'llama3.2:1b', takers: ['n1']},
    })
    expect(error.suggestions).toContain('did you mean llama3.2:1b?')
  })

  test('that does not answer is named, with what to do', async () => {
    const [node] = (await start({fault: {kind: 'refuse'}})) as [FakeOllama]
    expect(await rejection(run(toolsFor(named([node]))).answer)).toMatchObject({
      code: 'NODE_UNREACHABLE',
      message: expect.stringMatching(/^n1: cannot connect/),
      suggestions: ['ollamax doctor n1'],
    })
  })
})

const elsewhere: ReadonlyArray<readonly [string, FakeOptions['fault']]> = [
  ['refuses', {kind: 'refuse'}],
  ['resets the connection', {kind: 'reset', on: 'inference'}],
  ['is busy (503)', {kind: 'status', status: 503}],
  ['is busy (429)', {kind: 'status', status: 429}],
  ['breaks (500)', {kind: 'status', status: 500}],
  ['lost the model (404)', {kind: 'status', status: 404}],
  ['ends without a token and without its last line', {kind: 'cut', afterTokens: 0, how: 'clean'}],
  ['cuts before a token', {kind: 'cut', afterTokens: 0, how: 'rst'}],
  ['sends an error line before a token', {kind: 'cut', afterTokens: 0, how: 'error-line'}],
  ['sends garbage before a token', {kind: 'garbage', afterTokens: 0}],
]

describe('before anything was shown', () => {
  test.each(elsewhere)('a node that %s is replaced by the next one', async (_, fault) => {
    const [bad, good] = (await start({fault: fault ?? null, gpuShare: 1}, {answerTokens: 4})) as [
      FakeOllama,
      FakeOllama,
    ]
    const tools = toolsFor(named([bad, good]), {policy: 'round-robin'})
    useLast(tools, 'n2')
    const {answer, text} = run(tools)
    const {node, response, attempts} = await answer
    if (fault?.kind !== 'refuse') expect(attempts[0]).toMatchObject({node: 'n1', ok: false})
    expect(node).toBe('n2')
    expect(text()).toBe(response)
    expect(response.trim().split(' ')).toHaveLength(4)
  })

  test('the caller is told what every node would say, and only one node is asked', async () => {
    const all = await start({}, {}, {})
    const {answer} = run(toolsFor(named(all)), {
      body: {model: 'tiny', prompt: 'hi', options: {temperature: 'hot'}},
    })
    expect(await rejection(answer)).toMatchObject({
      code: 'REQUEST_REFUSED',
      message: expect.stringContaining('option "temperature"'),
    })
    expect(all.reduce((sum, node) => sum + inference(node), 0)).toBe(1)
  })

  test('when all fail, each is named with its reason', async () => {
    const all = await start(
      {fault: {kind: 'status', status: 500}},
      {fault: {kind: 'status', status: 503}},
    )
    const error = await rejection(run(toolsFor(named(all))).answer)
    expect(error.code).toBe('INFERENCE_FAILED')
    expect(error.message).toMatch(/n1: llama-server process/)
    expect(error.message).toMatch(/n2: server busy/)
  })

  test('when all are busy, that is what is said', async () => {
    const fault = {kind: 'status', status: 503} as const
    const error = await rejection(run(toolsFor(named(await start({fault}, {fault})))).answer)
    expect(error.code).toBe('NO_CANDIDATE')
    expect(error.message).toMatch(/busy/)
  })

  test('an answer that is collected and not shown starts anew on the next node', async () => {
    const [bad, good] = (await start(
      {fault: {kind: 'cut', afterTokens: 3, how: 'fin'}},
      {answerTokens: 5},
    )) as [FakeOllama, FakeOllama]
    const tools = toolsFor([spec(bad.url, 'a'), spec(good.url, 'b')], {policy: 'round-robin'})
    useLast(tools, 'b')
    const {answer} = run(tools, {show: () => false})
    const {node, response, attempts} = await answer
    expect(node).toBe('b')
    expect(response.trim().split(' ')).toHaveLength(5)
    expect(attempts.map((one) => [one.node, one.ok])).toEqual([
      ['a', false],
      ['b', true],
    ])
  })
})

describe('after something was shown', () => {
  test.each(['rst', 'fin', 'clean', 'error-line'] as const)(
    'a cut (%s) is an error that says how much came, and nobody else is asked',
    async (how) => {
      const fault = {kind: 'cut', afterTokens: 3, how} as const
      const all = await start({fault}, {fault})
      const {answer, shown} = run(toolsFor(named(all)))
      const error = await rejection(answer)
      expect(error.code).toBe('STREAM_CUT')
      expect(error.message).toMatch(
        new RegExp(`after ${shown.join('').length} characters in 3 pieces`),
      )
      expect(shown).toHaveLength(3)
      expect(all.reduce((sum, node) => sum + inference(node), 0)).toBe(1)
    },
  )

  test('an abort ends the answer upstream at once', async () => {
    const [node] = (await start({decodeTokensPerS: 20, answerTokens: 1000})) as [FakeOllama]
    const stop = new AbortController()
    const reason = new Error('enough')
    const {answer} = run(toolsFor(named([node])), {
      signal: stop.signal,
      show() {
        stop.abort(reason)
        return true
      },
    })
    expect(await rejection(answer)).toBe(reason)
    await waitFor('the node to see it', () => node.cancelled === 1)
  })
})

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
