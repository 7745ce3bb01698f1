import {expect} from 'vitest'
import {
  ANSWER,
  BREAKS,
  breakOff,
  cancelled,
  ENDLESS,
  keyedGateways,
  TOOL_CALL,
} from '../../support/keyed-gateway.ts'
import {pythonClients} from '../../support/python.ts'

const python = await pythonClients()
const start = keyedGateways()

/** What a client saw of a sound gateway and of broken ones; what it left was cancelled on the node. */
async function seenBy(script: string): Promise<Record<string, unknown>> {
  const plain = await start()
  const endless = await start(ENDLESS)
  const broken = await Promise.all(
    BREAKS.map(async (how) => [how, (await start(breakOff(how))).url] as const),
  )
  const gateways = {
    token: plain.token,
    plain: plain.url,
    endless: endless.url,
    broken: Object.fromEntries(broken),
  }
  const running = python.run(script, {GATEWAYS: JSON.stringify(gateways)})
  // The script goes on after it has closed its endless stream: its end alone would cancel everything.
  const first = await Promise.race([
    cancelled(endless).then(() => 'cancelled'),
    running.then(() => 'ended'),
  ])
  expect(first).toBe('cancelled')
  return await running
}

/** Of each way to break off: three pieces, then the error of that class. */
function raised(error: string, own = /node n1 broke off/) {
  const of = (how: string) => ({
    pieces: 3,
    raised: {
      error,
      status: expect.toBeOneOf([null, expect.any(Number)]),
      message: expect.stringMatching(how === 'error-line' ? own : /node n1 broke off/),
    },
  })
  return Object.fromEntries(BREAKS.map((how) => [how, of(how)]))
}

python.test('ollama for Python', async () => {
  expect(await seenBy('ollama_client.py')).toEqual({
    models: ['embed:latest', 'tiny:latest'],
    capabilities: ['completion', 'tools'],
    ps: expect.any(Number),
    chat: ANSWER,
    chatStream: ANSWER,
    generate: ANSWER,
    generateStream: ANSWER,
    embed: [64, 64],
    embeddings: 64,
    call: TOOL_CALL,
    pull: 'success',
    create: 'success',
    copy: 'success',
    push: 'success',
    delete: 'success',
    missing: {
      error: 'ResponseError',
      status: 404,
      message: expect.stringContaining("model 'nope' not found"),
    },
    denied: {error: 'ResponseError', status: 401, message: expect.stringContaining('key')},
    pathKey: true,
    aborted: 'word',
    broken: raised('ResponseError', /unexpected EOF/),
  })
})

python.test('openai for Python', async () => {
  const missing = {error: 'NotFoundError', status: 404, message: expect.stringContaining('nope')}
  expect(await seenBy('openai_client.py')).toEqual({
    models: ['embed:latest', 'tiny:latest'],
    model: 'tiny',
    chat: ANSWER,
    chatStream: ANSWER,
    completion: ANSWER,
    completionStream: ANSWER,
    response: ANSWER,
    responseStream: ANSWER,
    responseFinal: ANSWER,
    embeddings: [64, 64],
    call: {name: TOOL_CALL.name, arguments: JSON.stringify(TOOL_CALL.arguments)},
    missing,
    missingModel: missing,
    denied: {error: 'AuthenticationError', status: 401, message: expect.stringContaining('key')},
    aborted: 'word',
    broken: raised('APIError'),
    brokenTexts: raised('APIError'),
    brokenResponses: raised('APIError'),
  })
})

python.test('anthropic for Python', async () => {
  expect(await seenBy('anthropic_client.py')).toEqual({
    message: ANSWER,
    stopReason: 'end_turn',
    messageStream: ANSWER,
    call: TOOL_CALL,
    bearer: ANSWER,
    missing: {error: 'NotFoundError', status: 404, message: expect.stringContaining('nope')},
    denied: {error: 'AuthenticationError', status: 401, message: expect.stringContaining('key')},
    aborted: 'word',
    broken: raised('APIStatusError'),
  })
})
