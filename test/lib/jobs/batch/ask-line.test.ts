import {afterEach, expect, test} from 'vitest'
import {parseLine} from '../../../../src/lib/batch/parse-line.ts'
import {askLine} from '../../../../src/lib/jobs/batch/ask-line.ts'
import type {FakeOptions} from '../../../support/fake-ollama/options.ts'
import {type FakeOllama, startFakeOllama} from '../../../support/fake-ollama.ts'

let node: FakeOllama
afterEach(() => node.close())

async function ask(line: unknown, options: FakeOptions = {}, retries = 0) {
  node = await startFakeOllama(options)
  const parsed = parseLine(JSON.stringify(line), {model: 'tiny'})
  if (parsed.kind !== 'request') throw new Error(parsed.why)
  const refused: string[] = []
  const asked = await askLine({kind: 'url', url: node.url, headers: {}}, parsed.request, {
    ...{retries, timeoutMs: 10_000, policy: 'tiers', signal: AbortSignal.timeout(20_000)},
    refused(words) {
      refused.push(words)
      if (refused.length > 2) throw new Error('refused for too long')
    },
  })
  return {...asked, refused}
}

const CHAT = {messages: [{role: 'user', content: 'hi'}]}
const OPENAI = {url: '/v1/chat/completions', body: CHAT}

test('says that others go first, and how nodes are to be chosen', async () => {
  await ask('hi')
  expect(node.requests[0]?.headers).toMatchObject({
    'x-ollamax-priority': 'low',
    'x-ollamax-policy': 'tiers',
  })
})

test.each([
  ['a chat', CHAT, {message: {role: 'assistant', content: 'yes it is'}, eval_count: 3}],
  [
    "OpenAI's form of it",
    OPENAI,
    {
      object: 'chat.completion',
      choices: [{message: {role: 'assistant', content: 'yes it is'}, finish_reason: 'stop'}],
      usage: {completion_tokens: 3},
    },
  ],
])('%s is answered as if in one piece', async (_, line, answer) => {
  const {outcome} = await ask(line, {answer: 'yes it is'})
  expect(outcome).toMatchObject({kind: 'answered', status: 200, answer})
})

test.each([CHAT, OPENAI])('an answer that breaks off is tried again (%j)', async (line) => {
  const cut = {kind: 'cut', afterTokens: 2, how: 'clean', times: 1} as const
  const {outcome, tries} = await ask(line, {fault: cut}, 1)
  expect(outcome.kind).toBe('answered')
  expect(tries).toBe(2)
})

test('when no try is left the line has failed, in the words of the last one', async () => {
  const fault = {kind: 'cut', afterTokens: 2, how: 'error-line'} as const
  const {outcome, tries} = await ask('hi', {fault}, 1)
  expect(tries).toBe(2)
  expect(outcome).toMatchObject({
    kind: 'failed',
    error: {code: 'node_error', message: expect.stringContaining('unexpected EOF')},
  })
})

test('what each node would refuse is not tried again', async () => {
  const {outcome, tries} = await ask({prompt: 'x', options: {temperature: 'hot'}}, {}, 5)
  expect(tries).toBe(1)
  expect(outcome).toMatchObject({kind: 'failed', error: {code: 'http_500'}, status: 500})
})

test('that nobody can take it is no fault of the line, and no try', async () => {
  const {outcome, tries, refused} = await ask('hi', {
    fault: {kind: 'status', status: 503, times: 1},
  })
  expect(outcome.kind).toBe('answered')
  expect(tries).toBe(1)
  expect(refused).toEqual([expect.stringContaining('server busy')])
})
