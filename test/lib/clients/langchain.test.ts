import {tool} from '@langchain/core/tools'
import {ChatOllama, OllamaEmbeddings} from '@langchain/ollama'
import {ChatOpenAI, OpenAIEmbeddings} from '@langchain/openai'
import {expect, test} from 'vitest'
import {
  ANSWER,
  BREAKS,
  breakOff,
  type KeyedGateway,
  keyedGateways,
  TOOL_CALL,
} from '../../support/keyed-gateway.ts'

const start = keyedGateways()

const ofOllama = ({url, token}: KeyedGateway) => {
  const headers = {Authorization: `Bearer ${token}`}
  const chat = new ChatOllama({baseUrl: url, model: 'tiny', headers, maxRetries: 0})
  return {chat, vectors: new OllamaEmbeddings({baseUrl: url, model: 'embed', headers})}
}
const ofOpenai = ({url, token}: KeyedGateway) => {
  const common = {apiKey: token, configuration: {baseURL: `${url}/v1`}, maxRetries: 0}
  const chat = new ChatOpenAI({...common, model: 'tiny'})
  return {chat, vectors: new OpenAIEmbeddings({...common, model: 'embed'})}
}

test.each([
  ['Ollama', ofOllama],
  ['OpenAI', ofOpenai],
] as const)('LangChain for %s: answers, streams, tools, vectors, errors', async (_, clients) => {
  const gateway = await start()
  const {chat, vectors} = clients(gateway)
  expect((await chat.invoke('hi')).content).toBe(ANSWER)
  let text = ''
  for await (const {content} of await chat.stream('hi')) text += content
  expect(text).toBe(ANSWER)
  const schema = {type: 'object', properties: {city: {type: 'string'}}} as const
  const weather = tool(() => 'fine', {name: 'weather', description: 'of a city', schema})
  const {tool_calls: calls} = await chat.bindTools([weather]).invoke('hi')
  expect(calls?.[0]).toMatchObject({name: TOOL_CALL.name, args: TOOL_CALL.arguments})
  expect(await vectors.embedQuery('a')).toHaveLength(64)
  expect(await vectors.embedDocuments(['a', 'b'])).toHaveLength(2)
  const stranger = clients({...gateway, token: 'wrong'})
  await expect(stranger.chat.invoke('hi')).rejects.toThrow()
})

test.each(BREAKS)('a stream that breaks off by %s raises in LangChain', async (how) => {
  const gateway = await start(breakOff(how))
  for (const {chat} of [ofOllama(gateway), ofOpenai(gateway)]) {
    const read = async () => {
      for await (const _ of await chat.stream('hi'));
    }
    await expect(read()).rejects.toThrow(/broke off|unexpected EOF/)
  }
})
