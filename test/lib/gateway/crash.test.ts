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
