import {describe, expect, test} from 'vitest'
import {Thread} from '../../../src/lib/gateway/thread.ts'
import type {Fault} from '../../support/fake-ollama/options.ts'
import {gatewayHarness} from '../../support/gateway-harness.ts'

const start = gatewayHarness()
const ANSWER = 'one two three four five six seven eight nine ten'
const HEADERS = {'x-ollamax-continue': 'true', 'x-ollamax-policy': 'round-robin'}

async function ask(fault: Fault, body: object, headers: Record<string, string> = HEADERS) {
  const gateway = await start([
    {answer: ANSWER, fault},
    {answer: ANSWER, fault},
  ])
  const path = 'messages' in body ? '/api/chat' : '/api/generate'
  const reply = await fetch(gateway.url + path, {
    method: 'POST',
    headers,
    body: JSON.stringify({model: 'tiny', ...body}),
  })
  const lines = (await reply.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const text = lines.map(({message, response}) => message?.content ?? response ?? '').join('')
  return {gateway, lines, text, last: lines.at(-1)}
}

const chat = {messages: [{role: 'user', content: 'count'}]}

describe('an answer that breaks off is taken up by another node', () => {
  const hows = ['rst', 'fin', 'clean', 'error-line'] as const
  test.each(hows)(
    'after %s: nothing lost, nothing repeated, and the last chunk says so',
    async (how) => {
      const fault = {kind: 'cut', afterTokens: 4, how, on: 'inference', times: 1} as const
      const gateway = await start([{answer: ANSWER}, {answer: ANSWER}, {answer: ANSWER}])
      for (const node of gateway.nodes.slice(0, 2)) await node.set({fault})
      const reply = await fetch(`${gateway.url}/api/chat`, {
        method: 'POST',
        headers: HEADERS,
        body: JSON.stringify({model: 'tiny', ...chat, options: {num_predict: 100}}),
      })
      const lines = (await reply.text())
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      const text = lines.map(({message}) => message?.content ?? '').join('')
      // Two of three nodes break off: whoever begins, the third one brings it to its end.
      expect(text).toBe(ANSWER)
      expect(lines.at(-1)).toMatchObject({done: true, eval_count: 10})
      expect(lines.some(({error}) => error)).toBe(false)
    },
  )

  test.each([chat, {prompt: 'count'}, {prompt: 'count:', raw: true}])('%j', async (body) => {
    const gateway = await start([
      {answer: ANSWER, fault: {kind: 'cut', afterTokens: 4, how: 'rst', on: 'inference'}},
      {answer: ANSWER},
    ])
    const path = 'messages' in body ? '/api/chat' : '/api/generate'
    const texts = new Set<string>()
    let resumed = 0
    for (let at = 0; at < 6; at++) {
      const reply = await fetch(gateway.url + path, {
        method: 'POST',
        headers: HEADERS,
        body: JSON.stringify({model: 'tiny', ...body}),
      })
      const lines = (await reply.text())
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      texts.add(lines.map(({message, response}) => message?.content ?? response ?? '').join(''))
      expect(lines.at(-1)).toMatchObject({done: true, eval_count: 10})
      for (const line of lines) expect('message' in line).toBe('messages' in body)
      if (lines.at(-1).resumed) resumed++
    }
    expect([...texts]).toEqual([ANSWER])
    expect(resumed).toBeGreaterThan(0)
  })
})

describe('it is not taken up', () => {
  const fault: Fault = {kind: 'cut', afterTokens: 4, how: 'fin', on: 'inference'}

  test('where its body cannot be read, which is told and noted', async () => {
    const gateway = await start([{answer: ANSWER}])
    // No control character may stand in a text; the gateway finds the fields of it all the same.
    const body = '{"model":"tiny","messages":[{"role":"user","content":"a\u0001b"}]}'
    const reply = await fetch(`${gateway.url}/api/chat`, {method: 'POST', headers: HEADERS, body})
    expect(reply.status).toBe(400)
    expect(await reply.json()).toHaveProperty('error')
    expect(gateway.ended).toMatchObject([{outcome: 'caller', model: 'tiny'}])
  })

  test('unless somebody wants it', async () => {
    const {last} = await ask(fault, chat, {})
    expect(last).toHaveProperty('error')
  })

  test.each([
    {...chat, format: 'json'},
    {...chat, tools: [{type: 'function', function: {name: 'f'}}]},
    {prompt: 'x', suffix: 'y'},
    {prompt: 'x', context: [1]},
    {prompt: 'x', images: ['aa']},
    {messages: []},
    {},
  ])('where the other node could not know how to go on: %j', (body) => {
    const call = 'messages' in body ? 'chat' : 'generate'
    expect(Thread.of(call, {model: 'tiny', ...body})).toBeUndefined()
  })

  test('by a node with another model under the same name', async () => {
    const gateway = await start([
      {answer: ANSWER, models: [{name: 'tiny', digest: 'a'.repeat(64)}], fault},
      {answer: ANSWER, models: [{name: 'tiny', digest: 'b'.repeat(64)}], fault},
    ])
    const reply = await fetch(`${gateway.url}/api/chat`, {
      method: 'POST',
      headers: HEADERS,
      body: JSON.stringify({model: 'tiny', ...chat}),
    })
    const lines = (await reply.text()).trim().split('\n')
    expect(JSON.parse(lines.at(-1) ?? '')).toHaveProperty('error')
    expect(lines).toHaveLength(5)
  })

  test('after a thought or a call of a tool', () => {
    for (const message of [{thinking: 'hm'}, {tool_calls: [{}]}]) {
      const thread = Thread.of('chat', {model: 'tiny', ...chat})
      thread?.push(Buffer.from(`${JSON.stringify({message: {content: '', ...message}})}\n`))
      expect(thread?.continues).toBe(false)
    }
  })
})
