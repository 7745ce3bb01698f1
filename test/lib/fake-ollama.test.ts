import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {request} from 'node:http'
import {join} from 'node:path'
import {afterEach, expect, test} from 'vitest'
import type {FakeOptions} from '../support/fake-ollama/options.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {waitFor} from '../support/wait-for.ts'

const open: FakeOllama[] = []
afterEach(async () => {
  for (const node of open.splice(0)) await node.close()
})

async function start(options: FakeOptions = {}): Promise<FakeOllama> {
  const node = await startFakeOllama(options)
  open.push(node)
  return node
}

interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  /** How the answer ended: by its last chunk, or cut. */
  readonly whole: boolean
}

function ask(
  node: FakeOllama,
  [method, path, body]: readonly [string, string, unknown?],
  options: {headers?: Record<string, string>; signal?: AbortSignal} = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const req = request(`${node.url}${path}`, {method, agent: false, ...options}, (res) => {
      let text = ''
      const end = (whole: boolean): void =>
        resolve({status: res.statusCode ?? 0, headers: res.headers, text, whole})
      res.setEncoding('utf8')
      res.on('data', (chunk: string) => {
        text += chunk
      })
      res.on('end', () => end(true))
      res.on('error', () => end(false))
    })
    // After the header, a reset is an error of the request and of the answer; the latter resolves.
    req.on('error', reject)
    req.on('response', () => req.off('error', reject).on('error', () => {}))
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    if (text) req.setHeader('Content-Length', Buffer.byteLength(text))
    req.end(text)
  })
}

const lines = (reply: Reply): Record<string, unknown>[] =>
  reply.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
const json = (reply: Reply): Record<string, unknown> => JSON.parse(reply.text)
const generate = (node: FakeOllama, more: Record<string, unknown> = {}): Promise<Reply> =>
  ask(node, ['POST', '/api/generate', {model: 'tiny', prompt: 'hi', ...more}])
const loadedOn = async (node: FakeOllama): Promise<string[]> =>
  (json(await ask(node, ['GET', '/api/ps'])).models as {name: string}[]).map((m) => m.name)

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
  expect(last.eval_duration).toBeGreaterThanOrEqual(19e6)
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

test('one slot serves in order of arrival, and only latency shows it', async () => {
  const node = await start({decodeTokensPerS: 200, maxQueue: 1})
  await generate(node)
  const done: number[] = []
  await Promise.all(
    [1, 2, 3].map(async (n) => {
      const options = {num_predict: 10}
      const reply = await generate(node, {options, stream: false})
      expect(reply.status).toBe(200)
      done.push(n)
    }),
  )
  expect(done).toEqual([1, 2, 3])
})

test('slots run side by side', async () => {
  const node = await start({slots: 3, decodeTokensPerS: 0, fault: {kind: 'stall', afterTokens: 1}})
  const stop = new AbortController()
  const body = {model: 'tiny', prompt: 'x'}
  const all = [1, 2, 3].map(() =>
    fetch(`${node.url}/api/generate`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: stop.signal,
    }),
  )
  for (const reply of await Promise.all(all)) expect(reply.status).toBe(200)
  stop.abort()
  await waitFor('three cancels', () => node.cancelled === 3)
})

test('a model that loads is hidden from ps, loads are serial, and the queue for them is bounded', async () => {
  const node = await start({models: ['tiny', 'other'], loadMs: 120, maxQueue: 1})
  const first = generate(node, {stream: false})
  await waitFor('the first request', () => node.requests[0]?.body)
  expect(await loadedOn(node)).toEqual([])
  const second = generate(node, {model: 'other', stream: false})
  await waitFor('the second request', () => node.requests[2]?.body)
  const third = await generate(node)
  expect(third.status).toBe(503)
  expect(third.text).toBe(
    '{"error":"server busy, please try again.  maximum pending requests exceeded"}',
  )
  const waited = json(await second).load_duration as number
  expect(json(await first).load_duration).toBeGreaterThanOrEqual(119e6)
  expect(waited).toBeGreaterThanOrEqual(200e6)
  expect(await loadedOn(node)).toEqual(['other:latest', 'tiny:latest'])
})

test('who starts a load owns it: when that client leaves, the next one loads from zero', async () => {
  const node = await start({loadMs: 100})
  const stop = new AbortController()
  const body = {model: 'tiny', prompt: 'x', stream: false}
  const first = ask(node, ['POST', '/api/generate', body], {signal: stop.signal})
  await waitFor('the first request', () => node.requests[0]?.body)
  const second = generate(node, {stream: false})
  await waitFor('the second request', () => node.requests[1]?.body)
  stop.abort()
  await expect(first).rejects.toThrow()
  expect(json(await second).load_duration).toBeGreaterThanOrEqual(99e6)
  expect(node.cancelled).toBe(1)
})

test('another num_ctx reloads, an alias of the same weights does not', async () => {
  const models = [
    {name: 'tiny', blob: 'w'},
    {name: 'alias', blob: 'w'},
  ]
  const node = await start({models, loadMs: 60})
  const loadNs = async (more: object): Promise<number> =>
    json(await generate(node, {stream: false, ...more})).load_duration as number
  expect(await loadNs({})).toBeGreaterThanOrEqual(59e6)
  expect(await loadNs({model: 'alias'})).toBeLessThan(59e6)
  expect(await loadedOn(node)).toEqual(['tiny:latest'])
  expect(await loadNs({options: {num_ctx: 512}})).toBeGreaterThanOrEqual(59e6)
})

test('the least recently wanted model makes room, and keep_alive 0 unloads', async () => {
  const node = await start({models: ['a', 'b', 'c'], maxLoaded: 2})
  await generate(node, {model: 'a', keep_alive: '10s'})
  await generate(node, {model: 'b', keep_alive: -1})
  await generate(node, {model: 'c'})
  expect(await loadedOn(node)).toEqual(['b:latest', 'c:latest'])
  const off = json(await generate(node, {model: 'b', prompt: '', keep_alive: 0}))
  expect(off).toMatchObject({done: true, done_reason: 'unload', response: ''})
  expect(await loadedOn(node)).toEqual(['c:latest'])
  const on = json(await generate(node, {model: 'a', prompt: ''}))
  expect(on).toMatchObject({done: true, done_reason: 'load'})
  await generate(node, {model: 'c', keep_alive: '30ms'})
  await waitFor('c to expire', async () => (await loadedOn(node)).join() === 'a:latest')
})

test('a known prompt costs no evaluation, though its tokens are counted', async () => {
  const node = await start({prefixCache: true, prefillTokensPerS: 100})
  const prompt = 'word '.repeat(10)
  const [cold, warm] = [
    json(await generate(node, {prompt, stream: false})),
    json(await generate(node, {prompt, stream: false})),
  ] as Record<string, number>[]
  expect(warm?.prompt_eval_count).toBe(cold?.prompt_eval_count)
  expect(warm?.prompt_eval_duration).toBeLessThan((cold?.prompt_eval_duration ?? 0) / 2)
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

test('faults before a header: refused, reset, a status, and inference that hangs while tags answer', async () => {
  const node = await start()
  await node.set({fault: {kind: 'refuse'}})
  await expect(generate(node)).rejects.toMatchObject({code: 'ECONNREFUSED'})
  await node.set({fault: {kind: 'reset', times: 1}})
  await expect(generate(node)).rejects.toMatchObject({code: 'ECONNRESET'})
  expect((await generate(node)).status).toBe(200)
  for (const status of [500, 503, 429, 404]) {
    await node.set({fault: {kind: 'status', status}})
    const reply = await generate(node)
    expect(reply.status).toBe(status)
    expect(json(reply).error).toBeTypeOf('string')
  }
  await node.set({fault: {kind: 'hang', on: 'inference'}})
  expect((await ask(node, ['GET', '/api/tags'])).status).toBe(200)
  const hung = ask(node, ['POST', '/api/generate', {model: 'tiny', prompt: 'x'}], {
    signal: AbortSignal.timeout(100),
  })
  await expect(hung).rejects.toThrow()
  await node.set({fault: null})
  expect((await generate(node)).status).toBe(200)
})

test('faults in mid-stream: RST, no last chunk, a clean end without done, the error line, garbage', async () => {
  const node = await start({models: ['tiny']})
  const cut = async (how: 'rst' | 'fin' | 'clean' | 'error-line'): Promise<Reply> => {
    await node.set({fault: {kind: 'cut', afterTokens: 2, how}})
    return await generate(node)
  }
  for (const how of ['rst', 'fin'] as const) {
    const reply = await cut(how)
    expect(reply.whole).toBe(false)
    expect(lines(reply)).toHaveLength(2)
  }
  const clean = await cut('clean')
  expect(clean.whole).toBe(true)
  expect(lines(clean).map((l) => l.done)).toEqual([false, false])
  const dead = await cut('error-line')
  expect(dead).toMatchObject({whole: true, status: 200})
  expect(lines(dead).at(-1)).toEqual({
    error: 'an error was encountered while running the model: unexpected EOF',
  })
  expect(await loadedOn(node)).toEqual([])
  await node.set({fault: {kind: 'garbage', afterTokens: 1}})
  const garbage = (await generate(node)).text.split('\n')
  expect(() => JSON.parse(garbage[1] ?? '')).toThrow()
  expect(JSON.parse(garbage.at(-2) ?? '')).toMatchObject({done: true})
})

test('a client that leaves in mid-stream is counted, and frees the slot', async () => {
  const node = await start({fault: {kind: 'stall', afterTokens: 1, times: 1}})
  const reply = await fetch(`${node.url}/api/generate`, {
    method: 'POST',
    body: '{"model":"tiny","prompt":"x"}',
  })
  await reply.body?.cancel()
  await waitFor('the cancel', () => node.cancelled === 1)
  expect(node.requests[0]?.outcome).toBe('cancelled')
  expect((await generate(node)).status).toBe(200)
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
