import {join} from 'node:path'
import {describe, expect, test} from 'vitest'
import {readRates} from '../../../src/lib/state/rates-file.ts'
import type {FakeOptions} from '../../support/fake-ollama/options.ts'
import type {FakeOllama} from '../../support/fake-ollama.ts'
import {waitFor} from '../../support/wait-for.ts'
import {inference, named, rejection, run, runHarness, spec, useLast} from './run-harness.ts'

const {start, toolsFor} = runHarness()

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
