import {type Config, Ollama} from 'ollama'
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
import {waitFor} from '../../support/wait-for.ts'

const start = keyedGateways()

const client = ({url, token}: KeyedGateway, more: Partial<Config> = {}) =>
  new Ollama({host: url, headers: {Authorization: `Bearer ${token}`}, ...more})
const messages = [{role: 'user', content: 'hi'}]

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const one of stream) found.push(one)
  return found
}

test('models are listed, shown and seen in memory', async () => {
  const gateway = await start()
  const ollama = client(gateway)
  expect((await ollama.list()).models.map(({name}) => name).sort()).toEqual([
    'embed:latest',
    'tiny:latest',
  ])
  expect((await ollama.show({model: 'tiny'})).capabilities).toContain('tools')
  expect((await ollama.version()).version).toBe('0.33.0')
  await ollama.generate({model: 'tiny', prompt: ''})
  for (const name of ['n1', 'n2']) gateway.fleet.look(name)
  await waitFor('the model in memory', async () => (await ollama.ps()).models.length === 1)
})

test('chat, generate and vectors, streaming and not', async () => {
  const ollama = client(await start())
  expect((await ollama.chat({model: 'tiny', messages})).message.content).toBe(ANSWER)
  const chat = await all(await ollama.chat({model: 'tiny', messages, stream: true}))
  expect(chat.map(({message}) => message.content).join('')).toBe(ANSWER)
  expect(chat).toHaveLength(WORDS.length + 1)
  expect(chat.at(-1)).toMatchObject({done: true, eval_count: WORDS.length})
  expect((await ollama.generate({model: 'tiny', prompt: 'hi'})).response).toBe(ANSWER)
  const text = await all(await ollama.generate({model: 'tiny', prompt: 'hi', stream: true}))
  expect(text.map(({response}) => response).join('')).toBe(ANSWER)
  const {embeddings} = await ollama.embed({model: 'embed', input: ['a', 'b']})
  expect(embeddings.map(({length}) => length)).toEqual([64, 64])
  expect((await ollama.embeddings({model: 'embed', prompt: 'a'})).embedding).toEqual(embeddings[0])
})

test('a tool is called', async () => {
  const ollama = client(await start())
  const tools = [{type: 'function', function: {name: 'weather', description: 'of a city'}}]
  const {message} = await ollama.chat({model: 'tiny', messages, tools})
  expect(message.tool_calls?.[0]?.function).toMatchObject(TOOL_CALL)
})

test('models are copied, pulled, pushed, made and deleted', async () => {
  const gateway = await start()
  const ollama = client(gateway)
  const names = async () => (await ollama.list()).models.map(({name}) => name)
  await ollama.copy({source: 'tiny', destination: 'mine'})
  await waitFor('the copy', async () => (await names()).includes('mine:latest'))
  const pulled = await all(await ollama.pull({model: 'fresh', stream: true}))
  expect(pulled.at(-1)).toEqual({status: 'success'})
  expect(pulled.some(({completed, total}) => completed === total)).toBe(true)
  expect(await ollama.push({model: 'mine'})).toEqual({status: 'success'})
  expect(await ollama.create({model: 'made', from: 'tiny'})).toEqual({status: 'success'})
  await waitFor('the new model', async () => (await names()).includes('made:latest'))
  await ollama.delete({model: 'mine'})
  await waitFor('the deletion', async () => !(await names()).includes('mine:latest'))
})

test("what is wrong is the library's own error, with the status", async () => {
  const gateway = await start()
  const ollama = client(gateway)
  const missing = {
    name: 'ResponseError',
    status_code: 404,
    message: expect.stringContaining('not found'),
  }
  await expect(ollama.chat({model: 'nope', messages})).rejects.toMatchObject(missing)
  await expect(ollama.embed({model: 'nope', input: 'x'})).rejects.toMatchObject(missing)
  await expect(ollama.show({model: 'nope'})).rejects.toMatchObject(missing)
  await expect(ollama.delete({model: 'nope'})).rejects.toMatchObject(missing)
  const denied = {name: 'ResponseError', status_code: 401}
  const stranger = client(gateway, {headers: {Authorization: 'Bearer wrong'}})
  await expect(stranger.list()).rejects.toMatchObject(denied)
  await expect(client(gateway, {headers: {}}).list()).rejects.toMatchObject(denied)
})

test('the key may stand in the path where no header can be sent', async () => {
  const gateway = await start()
  const ollama = client(gateway, {host: `${gateway.url}/t/${gateway.token}`, headers: {}})
  expect((await ollama.list()).models).toHaveLength(2)
  expect((await ollama.chat({model: 'tiny', messages})).message.content).toBe(ANSWER)
})

test('abort ends the work on the node', async () => {
  const gateway = await start(ENDLESS)
  const stream = await client(gateway).chat({model: 'tiny', messages, stream: true})
  await expect(
    (async () => {
      for await (const _ of stream) stream.abort()
    })(),
  ).rejects.toMatchObject({name: 'AbortError'})
  await cancelled(gateway)
})

test.each(BREAKS)('a stream that breaks off by %s raises', async (how) => {
  const gateway = await start(breakOff(how))
  let words = 0
  await expect(
    (async () => {
      const stream = await client(gateway).chat({model: 'tiny', messages, stream: true})
      for await (const _ of stream) words++
    })(),
  ).rejects.toThrow(how === 'error-line' ? 'unexpected EOF' : 'node n1 broke off')
  expect(words).toBe(3)
})
