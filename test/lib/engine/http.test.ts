import {request} from 'node:http'
import {beforeAll, expect, test, vi} from 'vitest'
import {sharedLibrary, testEngines} from '../../support/engine.ts'

// Each test loads a model in a process of its own, on machines that do much else.
vi.setConfig({testTimeout: 90_000})
const start = testEngines()
beforeAll(sharedLibrary, 300_000)

test('root, version, tags and show speak as Ollama does', async () => {
  const engine = await start()
  const root = await fetch(`${engine.url}/`)
  expect(await root.text()).toBe('Ollama is running')
  expect((await fetch(`${engine.url}/api/tags`, {method: 'HEAD'})).status).toBe(200)
  const {models} = (await engine.json('/api/tags')) as {models: unknown[]}
  expect(models).toEqual([
    {
      name: 'tiny:latest',
      model: 'tiny:latest',
      modified_at: '2026-01-01T00:00:00.000Z',
      size: 486_752,
      digest: 'a'.repeat(64),
      details: {
        parent_model: '',
        format: 'gguf',
        family: 'llama',
        families: ['llama'],
        parameter_size: '119.62K',
        quantization_level: 'F32',
        context_length: 2048,
        embedding_length: 64,
      },
      capabilities: ['completion'],
    },
  ])
  const show = await engine.json('/api/show', {name: 'tiny'})
  expect(show).toMatchObject({
    capabilities: ['completion'],
    model_info: {'llama.context_length': 2048, 'tokenizer.ggml.tokens': null},
  })
})

test.each([
  ['POST', '/api/generate', '', 400, {error: 'missing request body'}],
  ['POST', '/api/generate', '{', 400, {error: 'unexpected EOF'}],
  [
    'POST',
    '/api/generate',
    '{"model":"nope","prompt":"x"}',
    404,
    {error: "model 'nope' not found"},
  ],
  ['POST', '/api/generate', '{}', 404, {error: "model '' not found"}],
  ['POST', '/api/chat', '{}', 400, {error: 'model is required'}],
  ['POST', '/api/show', '{"model":"nope"}', 404, {error: "model 'nope:latest' not found"}],
  [
    'POST',
    '/api/embed',
    '{"model":"nope","input":"x"}',
    404,
    {error: 'model "nope" not found, try pulling it first'},
  ],
  [
    'POST',
    '/api/generate',
    '{"model":"tiny","prompt":"x","options":{"num_ctx":"big"}}',
    500,
    {error: 'option "num_ctx" must be of type integer'},
  ],
  [
    'POST',
    '/api/generate',
    '{"model":"tiny","prompt":"x","think":true}',
    400,
    {error: '"tiny" does not support thinking'},
  ],
  [
    'POST',
    '/api/generate',
    '{"model":"tiny","prompt":"x","suffix":"y"}',
    400,
    {error: 'registry.ollama.ai/library/tiny:latest does not support insert'},
  ],
] as const)('%s %s %s is %i, in Ollama’s words', async (method, path, body, status, answer) => {
  const engine = await start()
  const reply = await fetch(engine.url + path, {method, body})
  expect(reply.status).toBe(status)
  expect(await reply.json()).toEqual(answer)
})

test('unknown paths and wrong methods answer in plain text', async () => {
  const engine = await start()
  const unknown = await fetch(`${engine.url}/metrics`)
  expect([unknown.status, await unknown.text()]).toEqual([404, '404 page not found'])
  // A path that no URL has.
  expect((await fetch(`${engine.url}//`)).status).toBe(404)
  const wrong = await fetch(`${engine.url}/api/generate`)
  expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST'])
})

test('only callers on this machine are served: a foreign Host or Origin is 403 without a body', async () => {
  const engine = await start()
  const status = (headers: Record<string, string>) =>
    new Promise<number | undefined>((resolve, reject) => {
      request(`${engine.url}/api/tags`, {headers}, (reply) => {
        reply.resume()
        resolve(reply.statusCode)
      })
        .on('error', reject)
        .end()
    })
  expect(await status({host: 'evil.example'})).toBe(403)
  expect(await status({host: '127.0.0.1.evil.example'})).toBe(403)
  expect(await status({origin: 'https://evil.example'})).toBe(403)
  expect(await status({origin: 'null'})).toBe(403)
  expect(await status({host: `localhost:${engine.port}`})).toBe(200)
  expect(await status({host: '127.0.0.1', origin: 'http://localhost:3000'})).toBe(200)
})

test('a body beyond the limit is refused before it is read to its end', async () => {
  const engine = await start()
  const body = `{"model":"tiny","prompt":"${'x'.repeat(17 * 1024 * 1024)}"}`
  const reply = await fetch(`${engine.url}/api/generate`, {method: 'POST', body}).catch(
    () => undefined,
  )
  // The server hangs up while the client still sends: either end of that is right.
  if (reply) expect(reply.status).toBe(413)
  expect(await engine.json('/api/ps')).toEqual({models: []})
})
