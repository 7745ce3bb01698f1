import {describe, expect, test} from 'vitest'
import type {Fault} from '../../support/fake-ollama/options.ts'
import type {TestGateway} from '../../support/gateway.ts'
import {gatewayHarness} from '../../support/gateway-harness.ts'
import {waitFor} from '../../support/wait-for.ts'

const open = gatewayHarness()

async function start(...faults: readonly (Fault | undefined)[]): Promise<TestGateway> {
  const gateway = await open(faults.map(() => ({answer: 'one two three four five'})))
  for (const [at, fault] of faults.entries())
    if (fault) await gateway.nodes[at]?.set({fault: {...fault, on: 'inference'}})
  return gateway
}

const messages = [{role: 'user', content: 'hi'}]

/** A way to ask, what ends a whole answer, and the message of the error that ends a broken one. */
interface Spoken {
  readonly path: string
  readonly body: object
  readonly done: RegExp
  readonly error: (text: string) => unknown
}

const lastData = (text: string) => JSON.parse(/data: (.*)\n\n$/.exec(text)?.[1] ?? 'null')
const ofOllama = (text: string) => JSON.parse(text.trim().split('\n').at(-1) ?? '').error
const ofSse = (text: string) => lastData(text).error.message
const SPOKEN: readonly Spoken[] = [
  {path: '/api/chat', body: {messages}, done: /"done":true/, error: ofOllama},
  {path: '/api/generate', body: {prompt: 'hi'}, done: /"done":true/, error: ofOllama},
  {path: '/v1/chat/completions', body: {messages}, done: /\[DONE\]/, error: ofSse},
  {path: '/v1/completions', body: {prompt: 'hi'}, done: /\[DONE\]/, error: ofSse},
  {path: '/v1/responses', body: {input: 'hi'}, done: /event: response.completed/, error: ofSse},
  {
    path: '/v1/messages',
    body: {messages, max_tokens: 99},
    done: /event: message_stop/,
    error: ofSse,
  },
]

async function ask({url}: TestGateway, {path, body}: Spoken, stream = true) {
  const reply = await fetch(url + path, {
    method: 'POST',
    body: JSON.stringify({model: 'tiny', stream, ...body}),
  })
  return {
    status: reply.status,
    attempts: reply.headers.get('x-ollamax-attempts'),
    text: await reply.text(),
  }
}

const crash = (afterTokens: number): Fault => ({kind: 'cut', afterTokens, how: 'error-line'})

describe.each(SPOKEN)('$path: a runner that dies', (spoken) => {
  test('in the middle of a stream is told as an error, once, also where the node swallows it', async () => {
    const gateway = await start(crash(2), crash(2))
    const {status, text} = await ask(gateway, spoken)
    expect(status).toBe(200)
    expect(text).toContain('one')
    expect(text).not.toMatch(spoken.done)
    expect(spoken.error(text)).toMatch(/unexpected EOF|node n\d broke off/)
    expect(text.match(/"error":[{"]/g)).toHaveLength(1)
    await waitFor('the end', () => gateway.ended.length > 0)
    expect(gateway.ended[0]).toMatchObject({outcome: 'failed', attempts: 1})
  })

  test('in the middle of a line leaves no half of it before the words of the error', async () => {
    const torn: Fault = {kind: 'cut', afterTokens: 2, how: 'torn'}
    const gateway = await start(torn, torn)
    const {text} = await ask(gateway, spoken)
    expect(text).toContain('one')
    expect(text).not.toContain('torn')
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('event: '))
    for (const line of lines) JSON.parse(line.replace(/^data: /, ''))
    expect(spoken.error(text)).toMatch(/node n\d broke off/)
  })

  test.each([true, false])('before the first byte (stream %s) costs no answer', async (stream) => {
    const gateway = await start(crash(0), undefined)
    const replies = await Promise.all(Array.from({length: 6}, () => ask(gateway, spoken, stream)))
    for (const {status, text} of replies) {
      expect(status).toBe(200)
      if (stream) expect(text).toMatch(spoken.done)
      else expect(text).toContain('one two three four five')
    }
    expect(replies.some(({attempts}) => attempts === '2')).toBe(true)
  })

  test('in the middle of a whole answer costs no answer', async () => {
    const gateway = await start(crash(2), undefined)
    const replies = await Promise.all(Array.from({length: 6}, () => ask(gateway, spoken, false)))
    for (const {status, text} of replies) {
      expect(status).toBe(200)
      expect(text).toContain('one two three four five')
    }
  })

  test('everywhere is told in the words of the last node', async () => {
    const gateway = await start(crash(0), crash(0))
    const {status, text} = await ask(gateway, spoken)
    expect(status).toBe(500)
    expect(text).toContain('llama-server process no longer running')
    await waitFor('the end', () => gateway.ended.length > 0)
    expect(gateway.ended[0]).toMatchObject({outcome: 'failed', attempts: 2})
  })
})

/** The node ends the answer cleanly although it is not whole, as Ollama does with the same word again and again. */
const stop = (afterTokens: number): Fault => ({kind: 'cut', afterTokens, how: 'clean'})

// A whole answer of /v1/responses says `completed` also where the answer was not.
describe.each(SPOKEN.filter(({path}) => path !== '/v1/responses'))(
  '$path: a whole answer that says itself that it is none',
  (spoken) => {
    test('is asked for elsewhere', async () => {
      const gateway = await start(stop(2), undefined)
      const replies = await Promise.all(Array.from({length: 4}, () => ask(gateway, spoken, false)))
      for (const {status, text} of replies) {
        expect(status).toBe(200)
        expect(text).toContain('one two three four five')
      }
      expect(replies.some(({attempts}) => attempts === '2')).toBe(true)
      expect(gateway.failures).toContain('n1 cut')
    })

    test('is no answer where all nodes do so', async () => {
      const gateway = await start(stop(2), stop(0))
      const {status, text} = await ask(gateway, spoken, false)
      expect(status).toBe(502)
      expect(text).toContain('broke off its answer')
      await waitFor('the end', () => gateway.ended.length > 0)
      expect(gateway.ended[0]).toMatchObject({outcome: 'failed', attempts: 2})
    })

    test('too long to be held breaks the connection', async () => {
      const gateway = await start(stop(2))
      await gateway.nodes[0]?.set({answer: `${'x'.repeat(1_200_000)} two three`})
      await expect(ask(gateway, spoken, false)).rejects.toThrow()
      await waitFor('the end', () => gateway.ended.length > 0)
      expect(gateway.ended[0]).toMatchObject({outcome: 'failed'})
    })
  },
)

test('what a tool is called with does not make a stream whole', async () => {
  const gateway = await start(stop(1))
  const tool = {name: 'tiny', capabilities: ['completion', 'tools']}
  await gateway.nodes[0]?.set({
    models: [tool],
    toolCall: {name: 'f', arguments: {done: true}},
  })
  const [chat] = SPOKEN
  if (!chat) throw new Error('no dialect')
  const tools = [{type: 'function', function: {name: 'f', parameters: {}}}]
  const {text} = await ask(gateway, {...chat, body: {...chat.body, tools}})
  expect(chat.error(text)).toMatch(/node n1 broke off/)
  expect(gateway.failures).toContain('n1 cut')
})

test('what a tool is called with does not make an answer whole, nor cut one off', async () => {
  const gateway = await start(stop(1), undefined)
  const args = {done: true, x: {done: false}}
  for (const node of gateway.nodes) await node.set({toolCall: {name: 'f', arguments: args}})
  await gateway.nodes[1]?.set({models: [{name: 'tiny', capabilities: ['completion', 'tools']}]})
  await gateway.nodes[0]?.set({models: [{name: 'tiny', capabilities: ['completion', 'tools']}]})
  const [chat] = SPOKEN
  if (!chat) throw new Error('no dialect')
  const tools = [{type: 'function', function: {name: 'f', parameters: {}}}]
  const spoken = {...chat, body: {...chat.body, tools}}
  for (let count = 0; count < 3; count++) {
    const {status, text} = await ask(gateway, spoken, false)
    expect(status).toBe(200)
    expect(JSON.parse(text)).toMatchObject({done: true, message: {tool_calls: [{}]}})
  }
  expect(gateway.failures).toContain('n1 cut')
})
