import fc from 'fast-check'
import {expect, test} from 'vitest'
import {parseLine} from '../../../src/lib/batch/parse-line.ts'

const M = {model: 'm'}
const requestOf = (line: unknown, defaults = {}) => {
  const parsed = parseLine(JSON.stringify(line), defaults)
  return parsed.kind === 'request' ? parsed.request : parsed.why
}

test.each([
  ['a text alone', 'hi', '/api/generate', {prompt: 'hi', model: 'm', stream: true}],
  [
    'a prompt',
    {prompt: 'hi', system: 's'},
    '/api/generate',
    {prompt: 'hi', system: 's', model: 'm', stream: true},
  ],
  [
    'messages',
    {messages: [{role: 'user', content: 'x'}]},
    '/api/chat',
    {messages: [{role: 'user', content: 'x'}], model: 'm', stream: true},
  ],
  ['texts for vectors', {input: ['a', 'b']}, '/api/embed', {input: ['a', 'b'], model: 'm'}],
])('%s goes to the call that takes it', (_, line, path, body) => {
  expect(requestOf(line, M)).toMatchObject({path, body, openai: false})
})

test("OpenAI's form goes where its url says, in pieces and under the model of the command line", () => {
  const body = {model: 'gpt', messages: [], stream: true, stream_options: {include_usage: true}}
  const line = {custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body}
  expect(requestOf(line, M)).toEqual({
    path: '/v1/chat/completions',
    body: {model: 'm', messages: [], stream: true, stream_options: {include_usage: true}},
    openai: true,
    answer: 'events',
    customId: 'a',
  })
})

test('a line keeps its own model where none is given for all, and custom_id is not sent', () => {
  expect(requestOf({prompt: 'hi', model: 'own', custom_id: 'x'})).toMatchObject({
    body: {model: 'own', prompt: 'hi'},
    customId: 'x',
  })
  expect(requestOf({prompt: 'hi', custom_id: 'x'})).toMatch('names no model')
})

test("the cluster's keep_alive holds where a line says none", () => {
  const defaults = {...M, keepAliveSeconds: 60}
  expect(requestOf({prompt: 'hi'}, defaults)).toMatchObject({body: {keep_alive: 60}})
  expect(requestOf({prompt: 'hi', keep_alive: 5}, defaults)).toMatchObject({body: {keep_alive: 5}})
})

test.each([
  ['{"prompt": ', 'no JSON'],
  ['3', 'neither'],
  ['[]', 'neither'],
  ['null', 'neither'],
  ['{"propmt": "x"}', 'no "prompt"'],
  ['{"prompt": 5}', '"prompt" is no text'],
  ['{"messages": []}', 'no list of messages'],
  ['{"messages": "x"}', 'no list of messages'],
  ['{"input": [1]}', '"input" is no text'],
  ['{"custom_id": 5, "prompt": "x"}', '"custom_id"'],
  ['{"url": "/api/pull", "body": {}}', '"url" is none of'],
  ['{"url": "/v1/embeddings", "body": 5}', '"body"'],
  ['{"method": "GET", "url": "/v1/embeddings", "body": {}}', '"method"'],
])('%s is broken, and says why', (text, why) => {
  expect(parseLine(text, M)).toMatchObject({kind: 'broken', why: expect.stringContaining(why)})
})

test('no text makes it throw, and what it makes of one always names a model', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      const parsed = parseLine(text, M)
      if (parsed.kind === 'request') expect(parsed.request.body.model).toBe('m')
    }),
  )
})
