import OpenAI, {type ClientOptions} from 'openai'
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
  new OpenAI({baseURL: `${url}/v1`, apiKey: token, maxRetries: 0, ...more})
const messages = [{role: 'user' as const, content: 'hi'}]
const chat = {model: 'tiny', messages}
const parameters = {type: 'object', properties: {city: {type: 'string'}}}

/** What it fails with; undefined if it does not. */
const reasonOf = (act: () => Promise<unknown>): Promise<unknown> =>
  act().then(
    () => undefined,
    (reason: unknown) => reason,
  )

test('models are listed and looked at', async () => {
  const openai = client(await start())
  const {data} = await openai.models.list()
  expect(data.map(({id}) => id).sort()).toEqual(['embed:latest', 'tiny:latest'])
  expect(await openai.models.retrieve('tiny')).toMatchObject({id: 'tiny', owned_by: 'library'})
})

test('chat, completions and responses, streaming and not', async () => {
  const openai = client(await start())
  const whole = await openai.chat.completions.create(chat)
  expect(whole.choices[0]).toMatchObject({message: {content: ANSWER}, finish_reason: 'stop'})
  expect(whole.usage?.completion_tokens).toBe(WORDS.length)
  const options = {stream: true, stream_options: {include_usage: true}} as const
  let text = ''
  let counted: number | undefined
  for await (const {choices, usage} of await openai.chat.completions.create({
    ...chat,
    ...options,
  })) {
    text += choices[0]?.delta.content ?? ''
    counted = usage?.completion_tokens ?? counted
  }
  expect({text, counted}).toEqual({text: ANSWER, counted: WORDS.length})
  const ask = {model: 'tiny', prompt: 'hi'}
  expect((await openai.completions.create(ask)).choices[0]?.text).toBe(ANSWER)
  text = ''
  for await (const {choices} of await openai.completions.create({...ask, stream: true}))
    text += choices[0]?.text
  expect(text).toBe(ANSWER)
  expect((await openai.responses.create({model: 'tiny', input: 'hi'})).output_text).toBe(ANSWER)
  const stream = openai.responses.stream({model: 'tiny', input: 'hi'})
  text = ''
  for await (const event of stream)
    if (event.type === 'response.output_text.delta') text += event.delta
  expect(text).toBe(ANSWER)
  expect((await stream.finalResponse()).output_text).toBe(ANSWER)
})

test('a tool is called in chat and in responses', async () => {
  const openai = client(await start())
  const args = JSON.stringify(TOOL_CALL.arguments)
  const tools = [{type: 'function' as const, function: {name: 'weather', parameters}}]
  const runner = openai.chat.completions.stream({...chat, tools})
  const {message, finish_reason} = (await runner.finalChatCompletion()).choices[0] ?? {}
  expect(finish_reason).toBe('tool_calls')
  expect(message?.tool_calls?.[0]).toMatchObject({
    function: {name: 'weather', arguments: args},
  })
  const {output} = await openai.responses.create({
    model: 'tiny',
    input: 'hi',
    tools: [{type: 'function', name: 'weather', parameters, strict: false}],
  })
  expect(output[0]).toMatchObject({type: 'function_call', name: 'weather', arguments: args})
})

test('vectors come in the packed form that the library asks for', async () => {
  const {data} = await client(await start()).embeddings.create({model: 'embed', input: ['a', 'b']})
  expect(data.map(({embedding}) => embedding.length)).toEqual([64, 64])
  expect(Math.hypot(...(data[0]?.embedding ?? []))).toBeCloseTo(1)
})

test("what is wrong is the library's own error", async () => {
  const gateway = await start()
  const openai = client(gateway)
  const missing = [
    () => openai.chat.completions.create({...chat, model: 'nope'}),
    () => openai.completions.create({model: 'nope', prompt: 'x'}),
    () => openai.responses.create({model: 'nope', input: 'x'}),
    () => openai.embeddings.create({model: 'nope', input: 'x'}),
    () => openai.models.retrieve('nope'),
  ]
  for (const ask of missing) {
    const error = await reasonOf(async () => await ask())
    expect(error).toBeInstanceOf(OpenAI.NotFoundError)
    expect(error).toMatchObject({message: expect.stringContaining('not found')})
  }
  const stranger = client(gateway, {apiKey: 'wrong'})
  await expect(stranger.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError)
  const empty = openai.chat.completions.create({model: 'tiny', messages: []})
  await expect(empty).rejects.toBeInstanceOf(OpenAI.BadRequestError)
})

test('abort ends the work on the node', async () => {
  const gateway = await start(ENDLESS)
  const stream = await client(gateway).chat.completions.create({...chat, stream: true})
  for await (const _ of stream) stream.controller.abort()
  await cancelled(gateway)
})

test.each(BREAKS)('a stream that breaks off by %s raises', async (how) => {
  const gateway = await start(breakOff(how))
  const openai = client(gateway)
  const stream = true as const
  const starts = [
    () => openai.chat.completions.create({...chat, stream}),
    () => openai.completions.create({model: 'tiny', prompt: 'hi', stream}),
    () => openai.responses.create({model: 'tiny', input: 'hi', stream}),
  ]
  for (const begin of starts) {
    let events = 0
    const read = async () => {
      for await (const _ of await begin()) events++
    }
    const error = await reasonOf(read)
    expect(error).toBeInstanceOf(OpenAI.APIError)
    expect(error).toMatchObject({message: expect.stringContaining('node n1 broke off')})
    expect(events).toBeGreaterThanOrEqual(3)
  }
})
