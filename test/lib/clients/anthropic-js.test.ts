import Anthropic, {type ClientOptions} from '@anthropic-ai/sdk'
import {expect, test} from 'vitest'
import {
  ANSWER,
  BREAKS,
  breakOff,
  cancelled,
  ENDLESS,
  type KeyedGateway,
  keyedGateways,
  TOOL_CALL,
  WORDS,
} from '../../support/keyed-gateway.ts'

const start = keyedGateways()

const client = ({url, token}: KeyedGateway, more: ClientOptions = {}) =>
  new Anthropic({baseURL: url, apiKey: token, authToken: null, maxRetries: 0, ...more})
const ask = {
  model: 'tiny',
  max_tokens: 100,
  messages: [{role: 'user' as const, content: 'hi'}],
}

test('messages, streaming and not', async () => {
  const anthropic = client(await start())
  const whole = await anthropic.messages.create(ask)
  expect(whole).toMatchObject({content: [{type: 'text', text: ANSWER}], stop_reason: 'end_turn'})
  expect(whole.usage.output_tokens).toBe(WORDS.length)
  const stream = anthropic.messages.stream(ask)
  let text = ''
  stream.on('text', (delta) => {
    text += delta
  })
  const final = await stream.finalMessage()
  expect(text).toBe(ANSWER)
  expect(final).toMatchObject({content: whole.content, usage: whole.usage})
})

test('a tool is called', async () => {
  const tools = [{name: 'weather', input_schema: {type: 'object' as const}}]
  const anthropic = client(await start())
  const call = {type: 'tool_use', name: TOOL_CALL.name, input: TOOL_CALL.arguments}
  const final = await anthropic.messages.stream({...ask, tools}).finalMessage()
  expect(final).toMatchObject({content: [call], stop_reason: 'tool_use'})
  expect((await anthropic.messages.create({...ask, tools})).content).toMatchObject([call])
})

test('the key may be sent in either header', async () => {
  const gateway = await start()
  const bearer = client(gateway, {apiKey: null, authToken: gateway.token})
  expect((await bearer.messages.create(ask)).content).toHaveLength(1)
})

test("what is wrong is the library's own error", async () => {
  const gateway = await start()
  const anthropic = client(gateway)
  const missing = anthropic.messages.create({...ask, model: 'nope'})
  await expect(missing).rejects.toBeInstanceOf(Anthropic.NotFoundError)
  await expect(missing).rejects.toMatchObject({
    error: {type: 'error', error: {type: 'not_found_error', message: "model 'nope' not found"}},
  })
  const stranger = client(gateway, {apiKey: 'wrong'})
  await expect(stranger.messages.create(ask)).rejects.toBeInstanceOf(Anthropic.AuthenticationError)
  const endless = anthropic.messages.create({...ask, max_tokens: 0})
  await expect(endless).rejects.toBeInstanceOf(Anthropic.BadRequestError)
})

test('abort ends the work on the node', async () => {
  const gateway = await start(ENDLESS)
  const stream = await client(gateway).messages.create({...ask, stream: true})
  for await (const _ of stream) stream.controller.abort()
  await cancelled(gateway)
})

test.each(BREAKS)('a stream that breaks off by %s raises', async (how) => {
  const gateway = await start(breakOff(how))
  const stream = client(gateway).messages.stream(ask)
  await expect(stream.finalMessage()).rejects.toBeInstanceOf(Anthropic.APIError)
  await expect(stream.finalMessage()).rejects.toThrow('node n1 broke off')
})
