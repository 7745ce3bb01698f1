import {createServer as createHttp, type IncomingMessage, type ServerResponse} from 'node:http'
import {
  type AddressInfo,
  connect,
  createServer as createTcp,
  type Server,
  type Socket,
} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, describe, expect, test} from 'vitest'
import {chat, embed, generate, pull, show} from '../../../src/lib/ollama/client.ts'
import type {Endpoint} from '../../../src/lib/ollama/endpoint.ts'
import {readNode} from '../../../src/lib/ollama/read-node.ts'
import {openRequest} from '../../../src/lib/ollama/request.ts'
import type {AnswerChunk} from '../../../src/lib/ollama/wire.ts'

const closers: Array<() => void> = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** Every way to reach one server: by URL, through a unix socket, through streams opened on demand. */
const kinds = ['url', 'socket', 'stream'] as const
type Kind = (typeof kinds)[number]

interface Served {
  readonly endpoint: Endpoint
  /** Resolves when the node sees a connection close. */
  readonly closed: Promise<void>
}

async function listen(kind: Kind, server: Server): Promise<Served> {
  const sockets = new Set<Socket>()
  let seen = () => {}
  const closed = new Promise<void>((resolve) => {
    seen = resolve
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => seen())
  })
  closers.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const path = join(tmpdir(), `ox-${process.pid}-${Math.random().toString(36).slice(2)}.sock`)
  await new Promise<void>((resolve) => {
    server.once('listening', resolve)
    if (kind === 'socket') server.listen(path)
    else server.listen(0, '127.0.0.1')
  })
  if (kind === 'socket') return {endpoint: {kind, path}, closed}
  const {port} = server.address() as AddressInfo
  if (kind === 'url')
    return {endpoint: {kind, url: `http://127.0.0.1:${port}`, headers: {}}, closed}
  const open = () =>
    new Promise<Socket>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket))
      socket.on('error', reject)
    })
  return {endpoint: {kind, open}, closed}
}

const http = (kind: Kind, answer: (q: IncomingMessage, r: ServerResponse) => void) =>
  listen(kind, createHttp(answer))
const tcp = (kind: Kind, talk: (socket: Socket) => void) =>
  listen(
    kind,
    createTcp((socket) => {
      // Read, or the end of the other side is never seen.
      socket.resume()
      talk(socket)
    }),
  )

const signal = new AbortController().signal
const get = {method: 'GET', path: '/', signal} as const
const ask = {model: 'm', prompt: 'hi'}

async function textOf(answer: Promise<AsyncIterable<AnswerChunk>>): Promise<string> {
  let text = ''
  for await (const chunk of await answer) text += chunk.text
  return text
}
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = []
  for await (const item of items) out.push(item)
  return out
}
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it must fail'),
    (error: unknown) => error as {code: string; details: Record<string, unknown>; message: string},
  )

describe.each(kinds)('over %s', (kind) => {
  test('the answer arrives token by token, with its counts and durations', async () => {
    let sent: unknown
    const {endpoint} = await http(kind, (request, response) => {
      request.setEncoding('utf8')
      request.on('data', (text: string) => {
        sent = {url: request.url, host: request.headers.host, body: JSON.parse(text)}
        const bytes = Buffer.from('{"response":"grüß","done":false}\n{"response":" dich 🙂"}\n')
        response.write(bytes.subarray(0, 16))
        setImmediate(() => {
          response.write(bytes.subarray(16, bytes.length - 6))
          setImmediate(() => {
            response.write(bytes.subarray(bytes.length - 6))
            response.end(
              '{"response":"","done":true,"done_reason":"stop","total_duration":3000000,"eval_count":2,"prompt_eval_count":5}\n',
            )
          })
        })
      })
    })
    const chunks: AnswerChunk[] = []
    for await (const chunk of await generate(endpoint, ask, {signal})) chunks.push(chunk)
    expect(sent).toMatchObject({
      url: '/api/generate',
      body: {model: 'm', prompt: 'hi', stream: true},
    })
    if (kind !== 'url') expect(sent).toMatchObject({host: 'localhost'})
    expect(chunks.map((chunk) => chunk.text)).toEqual(['grüß', ' dich 🙂', ''])
    expect(chunks.at(-1)).toMatchObject({
      done: true,
      doneReason: 'stop',
      stats: {totalMs: 3, answerTokens: 2, promptTokens: 5},
    })
  })

  test('chat chunks give text and thinking apart', async () => {
    const {endpoint} = await http(kind, (_, response) => {
      response.end(
        '{"message":{"content":"","thinking":"hm"}}\n{"message":{"content":"yes"}}\n{"message":{"content":""},"done":true}',
      )
    })
    const seen: string[] = []
    for await (const {text, thinking} of await chat(endpoint, {model: 'm', messages: []}, {signal}))
      seen.push(`${thinking}|${text}`)
    expect(seen).toEqual(['hm|', '|yes', '|'])
  })

  test('a refused connection is told from one that breaks', async () => {
    const gone = await tcp(kind, () => {})
    for (const close of closers.splice(0)) close()
    const refused = await failure(openRequest(gone.endpoint, get))
    expect(refused).toMatchObject({
      code: 'NODE_UNREACHABLE',
      details: {phase: 'connect', reason: 'refused'},
    })
    const breaks = await tcp(kind, (socket) => socket.once('data', () => socket.destroy()))
    expect(await failure(openRequest(breaks.endpoint, get))).toMatchObject({
      code: 'NODE_UNREACHABLE',
      details: {phase: 'headers', reason: 'reset'},
    })
  })

  test('an answer cut in its middle is an error after what had come', async () => {
    const {endpoint} = await http(kind, (_, response) => {
      response.write('{"response":"half"}\n')
      setTimeout(() => response.destroy(), 20)
    })
    const seen: string[] = []
    const error = await failure(
      (async () => {
        for await (const chunk of await generate(endpoint, ask, {signal})) seen.push(chunk.text)
      })(),
    )
    expect(seen).toEqual(['half'])
    expect(error).toMatchObject({
      code: 'NODE_UNREACHABLE',
      details: {phase: 'body', reason: 'reset'},
    })
  })

  test('a clean end without the last line is an error', async () => {
    const {endpoint} = await http(kind, (_, response) => response.end('{"response":"a"}\n'))
    expect(await failure(textOf(generate(endpoint, ask, {signal})))).toMatchObject({
      code: 'STREAM_CUT',
    })
  })

  test('an error line, an error status and garbage are the node speaking', async () => {
    const line = await http(kind, (_, response) => response.end('{"error":"unexpected EOF"}\n'))
    expect(await failure(textOf(generate(line.endpoint, ask, {signal})))).toMatchObject({
      code: 'NODE_ERROR',
      details: {phase: 'line', words: 'unexpected EOF'},
    })
    const nested = await http(kind, (_, response) => {
      response.writeHead(400)
      response.end(
        JSON.stringify({error: JSON.stringify({error: {code: 400, message: 'bad schema'}})}),
      )
    })
    expect(await failure(generate(nested.endpoint, ask, {signal}))).toMatchObject({
      code: 'NODE_ERROR',
      message: 'bad schema',
      details: {phase: 'reply', status: 400},
    })
    const garbage = await http(kind, (_, response) => response.end('<html>\n'))
    expect(await failure(textOf(generate(garbage.endpoint, ask, {signal})))).toMatchObject({
      code: 'NODE_ERROR',
      details: {phase: 'parse'},
    })
  })

  test('a node that accepts and stays silent is given up after the deadline of its phase', async () => {
    const {endpoint, closed} = await tcp(kind, () => {})
    expect(await failure(openRequest(endpoint, {...get, headersTimeoutMs: 50}))).toMatchObject({
      code: 'TIMEOUT',
      details: {phase: 'headers'},
    })
    await closed
    const stalls = await http(kind, (_, response) => response.write('{"response":"a"}\n'))
    const answer = textOf(generate(stalls.endpoint, ask, {signal, idleTimeoutMs: 50}))
    expect(await failure(answer)).toMatchObject({code: 'TIMEOUT', details: {phase: 'body'}})
    await stalls.closed
  })

  test('an abort before the head and one in mid-answer close the connection', async () => {
    const reason = new Error('enough')
    const early = await tcp(kind, (socket) => socket.once('data', () => stop.abort(reason)))
    const stop = new AbortController()
    expect(await failure(openRequest(early.endpoint, {...get, signal: stop.signal}))).toBe(reason)
    await early.closed

    const late = await http(kind, (_, response) => response.write('{"response":"a"}\n'))
    const halt = new AbortController()
    const answer = await generate(late.endpoint, ask, {signal: halt.signal})
    await answer.next()
    halt.abort(reason)
    expect(await failure(answer.next())).toBe(reason)
    await late.closed
  })

  test('leaving the loop early closes the connection', async () => {
    const {endpoint, closed} = await http(kind, (_, response) =>
      response.write('{"response":"a"}\n'),
    )
    for await (const _ of await generate(endpoint, ask, {signal})) break
    await closed
  })

  test('a reader that takes its time holds the node back', async () => {
    let written = 0
    const {endpoint} = await http(kind, (_, response) => {
      const line = `${JSON.stringify({response: 'x'.repeat(10_000)})}\n`
      const fill = () => {
        while (written < 3000) {
          written++
          if (!response.write(line)) return void response.once('drain', fill)
        }
        response.end('{"done":true}\n')
      }
      fill()
    })
    const answer = await generate(endpoint, ask, {signal, idleTimeoutMs: 5000})
    await answer.next()
    // 30 MB do not fit into the buffers between the two.
    const held = await settled(() => written)
    expect(held).toBeLessThan(3000)
    let bytes = 0
    for await (const chunk of answer) bytes += chunk.text.length
    expect(bytes).toBe(2999 * 10_000)
  })
})

/** The value once it has stopped to change. */
async function settled(read: () => number): Promise<number> {
  for (let last = -1; ; ) {
    const now = read()
    if (now === last) return now
    last = now
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

test('a reading holds models, loaded models and version, and survives missing fields', async () => {
  const answers: Record<string, unknown> = {
    '/api/version': {version: '0.33.0'},
    '/api/tags': {
      models: [
        {
          name: 'a:latest',
          digest: 'd',
          size: 5,
          capabilities: ['completion'],
          details: {family: 'llama'},
        },
        {model: 'b:1b'},
      ],
    },
    '/api/ps': {
      models: [{name: 'a:latest', digest: 'd', size: 9, size_vram: 9, context_length: 4096}],
    },
  }
  const {endpoint} = await http('url', (request, response) =>
    response.end(JSON.stringify(answers[request.url ?? ''])),
  )
  const reading = await readNode(endpoint, 'n', {signal, timeoutMs: 5000})
  expect(reading).toMatchObject({
    kind: 'up',
    node: 'n',
    version: '0.33.0',
    models: [
      {name: 'a:latest', sizeBytes: 5, capabilities: ['completion'], family: 'llama'},
      {name: 'b:1b'},
    ],
    loaded: [{name: 'a:latest', vramBytes: 9, contextLength: 4096}],
  })
})

test('a node that hangs or is something else is a down reading, never an exception', async () => {
  const hangs = await tcp('url', () => {})
  expect(await readNode(hangs.endpoint, 'n', {signal, timeoutMs: 50})).toMatchObject({
    kind: 'down',
    code: 'TIMEOUT',
  })
  await hangs.closed
  const other = await http('url', (_, response) => response.end('hello'))
  expect(await readNode(other.endpoint, 'n', {signal, timeoutMs: 5000})).toMatchObject({
    kind: 'down',
    code: 'NODE_ERROR',
  })
  await expect(
    readNode(other.endpoint, 'n', {signal: AbortSignal.abort(), timeoutMs: 5000}),
  ).rejects.toThrow(/abort/i)
})

test('headers of the endpoint are sent and its path is kept', async () => {
  let seen: unknown
  const {endpoint} = await http('url', (request, response) => {
    seen = {url: request.url, key: request.headers['x-key']}
    response.end('{}')
  })
  if (endpoint.kind !== 'url') throw new Error('url')
  const behind = {...endpoint, url: `${endpoint.url}/t/token/`, headers: {'x-key': 'k'}}
  await show(behind, 'm', {signal})
  expect(seen).toEqual({url: '/t/token/api/show', key: 'k'})
})

test('embed gives the vectors, pull its progress and its end', async () => {
  const {endpoint} = await http('url', (request, response) => {
    if (request.url === '/api/embed')
      response.end('{"embeddings":[[1,2],[3,4]],"prompt_eval_count":2}')
    else
      response.end(
        '{"status":"pulling abc","digest":"d","total":9,"completed":4}\n{"status":"success"}\n',
      )
  })
  const {embeddings, stats} = await embed(endpoint, {model: 'm', input: ['a', 'b']}, {signal})
  expect(embeddings).toEqual([
    [1, 2],
    [3, 4],
  ])
  expect(stats).toEqual({promptTokens: 2})
  const progress = await all(pull(endpoint, {model: 'm'}, {signal}))
  expect(progress).toEqual([
    {status: 'pulling abc', digest: 'd', total: 9, completed: 4},
    {status: 'success'},
  ])
  const cut = await http('url', (_, response) => response.end('{"status":"pulling abc"}\n'))
  expect(await failure(all(pull(cut.endpoint, {model: 'm'}, {signal})))).toMatchObject({
    code: 'STREAM_CUT',
  })
})
