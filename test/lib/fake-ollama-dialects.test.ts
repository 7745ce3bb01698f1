import {createHash} from 'node:crypto'
import {describe, expect, test} from 'vitest'
import {ask, fakeNodes, json, lines} from '../support/ask-node.ts'
import type {FakeOptions} from '../support/fake-ollama/options.ts'

const start = fakeNodes()

interface Event {
  readonly event: string | undefined
  readonly data: Record<string, unknown> | '[DONE]'
}

/** The events of a stream; a frame of any other form is an error. */
function eventsOf(text: string): Event[] {
  if (!text.endsWith('\n\n')) throw new Error(`not whole: ${JSON.stringify(text.slice(-40))}`)
  return text
    .slice(0, -2)
    .split('\n\n')
    .map((frame) => {
      const found = /^(?:event: (.+)\n)?data: (.+)$/.exec(frame)
      if (!found?.[2]) throw new Error(`no frame: ${frame}`)
      const data = found[2] === '[DONE]' ? found[2] : JSON.parse(found[2])
      return {event: found[1], data}
    })
}
const runsOf = (events: readonly Event[]): string[] =>
  events
    .map(({event}) => String(event))
    .filter((name, at, all) => name !== all[at - 1] || !name.endsWith('delta'))

const USER = [{role: 'user', content: 'hi'}]
const BODIES: Readonly<Record<string, Record<string, unknown>>> = {
  '/v1/chat/completions': {messages: USER},
  '/v1/completions': {prompt: 'hi'},
  '/v1/responses': {input: 'hi'},
  '/v1/messages': {messages: USER, max_tokens: 100},
}
const PATHS = Object.keys(BODIES)

async function post(path: string, more: object = {}, options: FakeOptions = {}) {
  const node = await start({answer: 'one two three', ...options})
  return await ask(node, ['POST', path, {model: 'tiny', ...BODIES[path], ...more}])
}

describe('OpenAI chat completions', () => {
  const path = '/v1/chat/completions'
  test('a stream is chunks, a finish chunk and [DONE]; usage only where it is asked for', async () => {
    const reply = await post(path, {stream: true})
    expect(reply.headers['content-type']).toBe('text/event-stream')
    const events = eventsOf(reply.text)
    expect(events.at(-1)?.data).toBe('[DONE]')
    const chunks = events.slice(0, -1).map(({data}) => data as {choices: unknown[]})
    expect(chunks.map(({choices}) => choices[0])).toEqual([
      {index: 0, delta: {role: 'assistant', content: 'one'}, finish_reason: null},
      {index: 0, delta: {content: ' two'}, finish_reason: null},
      {index: 0, delta: {content: ' three'}, finish_reason: null},
      {index: 0, delta: {}, finish_reason: 'stop'},
    ])
    expect(reply.text).not.toContain('usage')
    const counted = await post(path, {stream: true, stream_options: {include_usage: true}})
    expect(eventsOf(counted.text).at(-2)?.data).toMatchObject({
      choices: [],
      usage: {completion_tokens: 3},
    })
  })

  test('an answer is whole unless a stream is wanted', async () => {
    const reply = await post(path)
    expect(reply.headers['content-type']).toBe('application/json')
    expect(json(reply)).toMatchObject({
      object: 'chat.completion',
      choices: [{message: {content: 'one two three'}, finish_reason: 'stop'}],
      usage: {completion_tokens: 3},
    })
  })

  test('a runner that dies is a stray chunk and a clean end', async () => {
    const fault = {kind: 'cut', afterTokens: 2, how: 'error-line'} as const
    const reply = await post(path, {stream: true}, {fault})
    expect(reply).toMatchObject({status: 200, whole: true})
    const events = eventsOf(reply.text)
    expect(events).toHaveLength(3)
    expect(events[2]?.data).toMatchObject({
      model: '',
      choices: [{delta: {content: ''}, finish_reason: null}],
    })
  })
})

test('completions stream text and end with [DONE]', async () => {
  const events = eventsOf((await post('/v1/completions', {stream: true})).text)
  expect(events.map(({data}) => data)).toMatchObject([
    {choices: [{text: 'one', finish_reason: null}]},
    {choices: [{text: ' two'}]},
    {choices: [{text: ' three'}]},
    {choices: [{text: '', finish_reason: 'stop'}]},
    '[DONE]',
  ])
})

test('responses tell every step of the output', async () => {
  const events = eventsOf((await post('/v1/responses', {stream: true})).text)
  expect(runsOf(events)).toEqual([
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.completed',
  ])
  const numbers = events.map(({data}) => (data as Record<string, unknown>).sequence_number)
  expect(numbers).toEqual(events.map((_, at) => at))
  expect(events.at(-1)?.data).toMatchObject({
    response: {status: 'completed', output: [{content: [{text: 'one two three'}]}]},
  })
})

test('messages tell every block', async () => {
  const events = eventsOf((await post('/v1/messages', {stream: true})).text)
  expect(runsOf(events)).toEqual([
    'message_start',
    'content_block_start',
    'content_block_delta',
    'content_block_stop',
    'message_delta',
    'message_stop',
  ])
  expect(events.at(-2)?.data).toMatchObject({
    delta: {stop_reason: 'end_turn'},
    usage: {output_tokens: 3},
  })
})

test.each(['/v1/responses', '/v1/messages'])('%s has no word for a dead runner', async (path) => {
  const fault = {kind: 'cut', afterTokens: 2, how: 'error-line'} as const
  const reply = await post(path, {stream: true}, {fault})
  expect(reply).toMatchObject({status: 200, whole: true})
  expect(eventsOf(reply.text).at(-1)?.event).toMatch(/delta$/)
})

test.each(PATHS)('%s: faults strike it, and errors are in its own words', async (path) => {
  const stream = {stream: true}
  const missing = await post(path, {model: 'nope'})
  expect(missing.status).toBe(404)
  expect(json(missing).error).toMatchObject({
    message: "model 'nope' not found",
    type: 'not_found_error',
  })
  const dead = await post(path, stream, {fault: {kind: 'cut', afterTokens: 0, how: 'error-line'}})
  expect(dead.status).toBe(500)
  expect(json(dead).error).toMatchObject({type: 'api_error'})
  const busy = await post(path, stream, {fault: {kind: 'status', status: 503}})
  expect(json(busy).error).toHaveProperty('message')
  for (const how of ['rst', 'fin'] as const) {
    const cut = await post(path, stream, {fault: {kind: 'cut', afterTokens: 2, how}})
    expect(cut).toMatchObject({status: 200, whole: false})
  }
  const clean = await post(path, stream, {fault: {kind: 'cut', afterTokens: 2, how: 'clean'}})
  expect(clean.whole).toBe(true)
  expect(clean.text).not.toMatch(/\[DONE\]|completed"|message_stop/)
  const garbage = await post(path, stream, {fault: {kind: 'garbage', afterTokens: 1}})
  expect(garbage.text).toContain('\n\ndata: {"model": garb\n\n')
})

test('thoughts and calls have blocks of their own in each dialect', async () => {
  const able = [{name: 'tiny', capabilities: ['completion', 'tools', 'thinking']}]
  const thought = async (path: string) => (await post(path, {stream: true}, {models: able})).text
  expect(await thought('/v1/chat/completions')).toContain('"reasoning":')
  expect(await thought('/v1/responses')).toContain('response.reasoning_summary_text.done')
  expect(await thought('/v1/messages')).toContain('"thinking_delta"')
  const toolCall = {name: 'weather', arguments: {city: 'Rome'}}
  const tools = [{type: 'function', function: {name: 'weather'}}]
  const called = async (path: string) =>
    (await post(path, {stream: true, tools}, {models: able, toolCall})).text
  expect(await called('/v1/chat/completions')).toContain('"finish_reason":"tool_calls"')
  expect(await called('/v1/responses')).toContain('response.function_call_arguments.done')
  expect(await called('/v1/messages')).toContain('"stop_reason":"tool_use"')
})

test('models can be listed and looked at, embeddings asked for in base64', async () => {
  const node = await start({models: ['tiny', 'embed']})
  expect(json(await ask(node, ['GET', '/v1/models']))).toMatchObject({
    data: [{id: 'tiny:latest', owned_by: 'library'}, {id: 'embed:latest'}],
  })
  expect(json(await ask(node, ['GET', '/v1/models/tiny']))).toMatchObject({id: 'tiny'})
  expect((await ask(node, ['GET', '/v1/models/nope'])).status).toBe(404)
  const vector = async (more: object) => {
    const body = {model: 'embed', input: 'hi', ...more}
    const {data} = json(await ask(node, ['POST', '/v1/embeddings', body])) as {
      data: {embedding: unknown}[]
    }
    return data[0]?.embedding
  }
  const packed = Buffer.from(String(await vector({encoding_format: 'base64'})), 'base64')
  const floats = (await vector({})) as number[]
  expect(packed.readFloatLE(4)).toBeCloseTo(floats[1] ?? 0)
})

test('blobs are checked against their digest, and models made of them', async () => {
  const node = await start()
  const digest = `sha256:${createHash('sha256').update('weights').digest('hex')}`
  const path = `/api/blobs/${digest}`
  const wrong = `/api/blobs/sha256:${'0'.repeat(64)}`
  expect((await ask(node, ['HEAD', path])).status).toBe(404)
  expect((await ask(node, ['POST', wrong, 'other'])).text).toContain('digest mismatch')
  const create = {model: 'made', files: {'m.gguf': digest}}
  const early = await ask(node, ['POST', '/api/create', create])
  expect(early.status).toBe(200)
  expect(lines(early).at(-1)).toHaveProperty('error')
  expect((await ask(node, ['POST', path, 'weights'])).status).toBe(201)
  expect((await ask(node, ['POST', path, 'weights'])).status).toBe(200)
  expect((await ask(node, ['HEAD', path])).status).toBe(200)
  expect(lines(await ask(node, ['POST', '/api/create', create])).at(-1)).toEqual({
    status: 'success',
  })
  const from = {model: 'again', from: 'made', stream: false}
  expect(json(await ask(node, ['POST', '/api/create', from]))).toEqual({status: 'success'})
  const shown = await ask(node, ['POST', '/api/show', {model: 'again'}])
  expect(shown.text).toContain(digest.replace(':', '-'))
  const pushed = await ask(node, ['POST', '/api/push', {model: 'again'}])
  expect(lines(pushed).at(-1)).toEqual({status: 'success'})
  expect((await ask(node, ['POST', '/api/push', {model: 'x', stream: false}])).status).toBe(500)
})
