import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {join} from 'node:path'
import {expect, test} from 'vitest'
import {ask, fakeNodes, generate, json, lines, type Reply} from '../support/ask-node.ts'
import type {FakeOllama} from '../support/fake-ollama.ts'

const start = fakeNodes()

test('the root, unknown paths and wrong methods answer in plain text with the bare headers of Go', async () => {
  const node = await start()
  const root = await ask(node, ['GET', '/'])
  expect(root.text).toBe('Ollama is running')
  // `connection: close` is this client's own wish; a kept connection shows nothing more.
  const kept = await fetch(`${node.url}/`)
  expect([...kept.headers.keys()].sort()).toEqual(['content-length', 'content-type', 'date'])
  expect(await ask(node, ['HEAD', '/api/tags'])).toMatchObject({status: 200, text: ''})
  expect(await ask(node, ['GET', '/metrics'])).toMatchObject({
    status: 404,
    text: '404 page not found',
  })
  expect(await ask(node, ['GET', '/api/generate'])).toMatchObject({
    status: 405,
    text: '405 method not allowed',
    headers: {allow: 'POST'},
  })
})

test('generate streams lines, and the last one counts what was played', async () => {
  const node = await start({firstTokenDelayMs: 30, decodeTokensPerS: 200, loadMs: 40})
  const reply = await generate(node, {options: {num_predict: 4}})
  expect(reply.headers['content-type']).toBe('application/x-ndjson')
  expect(reply.headers['transfer-encoding']).toBe('chunked')
  const all = lines(reply)
  expect(Object.keys(all[0] ?? {})).toEqual(['model', 'created_at', 'response', 'done'])
  const last = all.at(-1) as Record<string, number>
  expect(last).toMatchObject({
    model: 'tiny',
    done: true,
    done_reason: 'length',
    eval_count: 4,
    response: '',
  })
  expect(all).toHaveLength(5)
  expect(last.load_duration).toBeGreaterThanOrEqual(39e6)
  expect(last.prompt_eval_duration).toBeGreaterThanOrEqual(29e6)
  // A token may come 1 ms before it is due, and a timer fire 1 ms early.
  expect(last.eval_duration).toBeGreaterThanOrEqual(18e6)
  const parts =
    (last.load_duration ?? 0) + (last.prompt_eval_duration ?? 0) + (last.eval_duration ?? 0)
  expect(last.total_duration).toBeGreaterThanOrEqual(parts)
})

test('the header comes with the first token, not before', async () => {
  const node = await start({firstTokenDelayMs: 150})
  const began = performance.now()
  const reply = await fetch(`${node.url}/api/generate`, {
    method: 'POST',
    body: '{"model":"tiny","prompt":"x"}',
  })
  expect(performance.now() - began).toBeGreaterThanOrEqual(149)
  await reply.body?.cancel()
})

test('chat has message chunks, a thought before the answer, and tool calls as one chunk', async () => {
  const capabilities = ['completion', 'thinking', 'tools']
  const models = [{name: 'wise', capabilities}]
  const node = await start({models, toolCall: {name: 'sum', arguments: {a: 1}}})
  const messages = [{role: 'user', content: 'hi'}]
  const chat = (more: object): Promise<Reply> =>
    ask(node, ['POST', '/api/chat', {model: 'wise', messages, ...more}])
  const thought = lines(await chat({}))
  expect(thought[0]).toMatchObject({message: {role: 'assistant', content: ''}, done: false})
  expect(thought[0]).toHaveProperty('message.thinking', expect.stringMatching(/./))
  const plain = json(await chat({think: false, stream: false}))
  expect(plain.message).not.toHaveProperty('thinking')
  const called = lines(await chat({tools: [{type: 'function'}]}))
  expect(called[0]).toMatchObject({
    message: {tool_calls: [{id: 'call_1', function: {index: 0, name: 'sum', arguments: {a: 1}}}]},
  })
  expect(called.at(-1)).toMatchObject({done: true, done_reason: 'stop'})
})

test('the same seed gives the same words, on another node too', async () => {
  const [a, b] = [await start(), await start()]
  const say = async (node: FakeOllama, options: object): Promise<unknown> =>
    json(await generate(node, {stream: false, options})).response
  expect(await say(a, {seed: 7})).toBe(await say(b, {seed: 7}))
  expect(await say(a, {temperature: 0})).toBe(await say(b, {temperature: 0}))
  expect(await say(a, {seed: 7})).not.toBe(await say(a, {seed: 8}))
  expect(await say(a, {})).not.toBe(await say(a, {}))
})

test('format gives JSON of the schema, and stop ends the text before its words', async () => {
  const node = await start({answer: 'one two three'})
  const schema = {
    type: 'object',
    properties: {n: {type: 'integer'}, tags: {type: 'array', items: {enum: ['a']}}},
  }
  const reply = json(await generate(node, {format: schema, stream: false}))
  expect(JSON.parse(String(reply.response))).toEqual({n: 1, tags: ['a']})
  const stopped = json(await generate(node, {stream: false, options: {stop: ['two']}}))
  expect(stopped).toMatchObject({response: 'one ', done_reason: 'stop'})
})

test.each([
  ['/api/generate', {model: 'nope', prompt: 'x'}, 404, "model 'nope' not found"],
  ['/api/generate', {prompt: 'x'}, 404, "model '' not found"],
  ['/api/chat', {messages: []}, 400, 'model is required'],
  ['/api/embed', {model: 'nope', input: 'x'}, 404, 'model "nope" not found, try pulling it first'],
  [
    '/api/embed',
    {model: 'tiny', input: 'x'},
    501,
    'This server does not support embeddings. Start it with `--embeddings`',
  ],
  ['/api/show', {model: 'nope'}, 404, "model 'nope:latest' not found"],
  ['/api/show', {model: 'a b'}, 400, 'invalid model name'],
  ['/api/generate', '', 400, 'missing request body'],
  ['/api/generate', '{"model":', 400, 'unexpected EOF'],
  [
    '/api/generate',
    {model: 'tiny', prompt: 1},
    400,
    'json: cannot unmarshal number into Go struct field GenerateRequest.prompt of type string',
  ],
  [
    '/api/generate',
    {model: 'tiny', prompt: 'x', options: {num_ctx: 'big'}},
    500,
    'option "num_ctx" must be of type integer',
  ],
  [
    '/api/generate',
    {model: 'tiny', prompt: 'x', format: 'xml'},
    500,
    'invalid format: "xml"; expected "json" or a valid JSON Schema object',
  ],
  [
    '/api/chat',
    {model: 'tiny', messages: [{}], think: true},
    400,
    '"tiny" does not support thinking',
  ],
  [
    '/api/chat',
    {model: 'tiny', messages: [{}], tools: [{}]},
    400,
    'registry.ollama.ai/library/tiny:latest does not support tools',
  ],
  ['/api/generate', {model: 'embed', prompt: 'x'}, 400, '"embed" does not support generate'],
])('%s %j is refused as Ollama words it', async (path, body, status, error) => {
  const node = await start({models: ['tiny', 'embed']})
  const reply = await ask(node, ['POST', path, body])
  expect({status: reply.status, ...json(reply)}).toEqual({status, error})
})

test('an image for a model without eyes is refused by JSON within the JSON', async () => {
  const node = await start()
  const reply = await generate(node, {images: ['AAAA']})
  expect(reply.status).toBe(400)
  expect(JSON.parse(String(json(reply).error)).error.code).toBe(400)
})

test('a foreign Host or Origin gets 403 without a body', async () => {
  const node = await start()
  const tags = ['GET', '/api/tags'] as const
  expect(await ask(node, tags, {headers: {Host: 'evil.example'}})).toMatchObject({
    status: 403,
    text: '',
  })
  expect(await ask(node, tags, {headers: {Origin: 'http://evil.example'}})).toMatchObject({
    status: 403,
    text: '',
  })
  expect((await ask(node, tags, {headers: {Host: 'box.local:1'}})).status).toBe(200)
  expect((await ask(node, tags, {headers: {Origin: 'http://localhost:3000'}})).status).toBe(200)
})

test('models are pulled with progress, shown, copied and deleted', async () => {
  const node = await start({models: [], pullable: [{name: 'new', sizeBytes: 1000}], pullMs: 120})
  const progress = lines(await ask(node, ['POST', '/api/pull', {name: 'new'}]))
  expect(progress[0]).toEqual({status: 'pulling manifest'})
  expect(progress.at(-2)).toEqual({status: 'writing manifest'})
  expect(progress.at(-1)).toEqual({status: 'success'})
  expect(progress[2]).toMatchObject({total: 1000, completed: 500})
  await ask(node, ['POST', '/api/copy', {source: 'new', destination: 'twin'}])
  const {models} = json(await ask(node, ['GET', '/api/tags'])) as {models: {name: string}[]}
  expect(models.map((m) => m.name)).toEqual(['new:latest', 'twin:latest'])
  const shown = json(await ask(node, ['POST', '/api/show', {model: 'twin'}]))
  expect(shown).toMatchObject({capabilities: ['completion'], details: {family: 'llama'}})
  expect((await ask(node, ['DELETE', '/api/delete', {model: 'twin'}])).status).toBe(200)
  expect((await ask(node, ['DELETE', '/api/delete', {model: 'twin'}])).status).toBe(404)
  const unknown = await ask(node, ['POST', '/api/pull', {model: 'nope'}])
  expect(unknown.status).toBe(200)
  expect(lines(unknown).at(-1)).toEqual({error: 'pull model manifest: file does not exist'})
  const whole = await ask(node, ['POST', '/api/pull', {model: 'nope', stream: false}])
  expect(whole.status).toBe(500)
})

test('embeddings are unit vectors, shortened and normalised again by dimensions', async () => {
  const node = await start({models: ['embed']})
  const body = {model: 'embed', input: ['a', 'b'], dimensions: 8}
  const reply = json(await ask(node, ['POST', '/api/embed', body]))
  const vectors = reply.embeddings as number[][]
  expect(vectors.map((v) => v.length)).toEqual([8, 8])
  for (const v of vectors) expect(Math.hypot(...v)).toBeCloseTo(1)
  const none = json(await ask(node, ['POST', '/api/embed', {model: 'embed', input: ''}]))
  expect(none.embeddings).toEqual([])
  const old = json(await ask(node, ['POST', '/api/embeddings', {model: 'embed', prompt: 'a'}]))
  expect(old.embedding).toHaveLength(64)
})

test('as a process it tells its ports in one line and takes its script over the control port', async () => {
  const file = join(import.meta.dirname, '../support/fake-ollama.ts')
  const child = spawn(process.execPath, [file, '--settings', '{"models":["a"]}'])
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const {url, controlPort} = JSON.parse(line.toString()) as {url: string; controlPort: number}
    const control = `http://127.0.0.1:${controlPort}/control`
    expect((await fetch(`${url}/api/tags`)).status).toBe(200)
    const patch = {models: ['b'], fault: {kind: 'status', status: 503}}
    await fetch(control, {method: 'POST', body: JSON.stringify(patch)})
    const refused = await fetch(`${url}/api/generate`, {method: 'POST', body: '{}'})
    expect(refused.status).toBe(503)
    const seen = (await (await fetch(control)).json()) as {requests: {path: string}[]}
    expect(seen.requests.map((r) => r.path)).toEqual(['/api/tags', '/api/generate'])
  } finally {
    child.kill()
    await once(child, 'exit')
  }
})
