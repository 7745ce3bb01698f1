import {createHash} from 'node:crypto'
import {existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs'
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import type {Report} from '../../../src/lib/cluster/report.ts'
import {download} from '../../../src/lib/engine/install/download.ts'

const CONTENT = Buffer.alloc(300_000, 'abcdefghij')
const SHA256 = createHash('sha256').update(CONTENT).digest('hex')

let directory: string
let path: string
let servers: Server[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ollamax-download-'))
  path = join(directory, 'model.gguf')
  servers = []
})
afterEach(() => {
  for (const server of servers) server.close().closeAllConnections()
  rmSync(directory, {recursive: true})
})

type Handler = (request: IncomingMessage, reply: ServerResponse) => void

async function serve(handler: Handler): Promise<string> {
  const server = createServer(handler)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/m.gguf?token=secret`
}

function fetchModel(url: string, more: {signal?: AbortSignal; maxBytes?: number} = {}) {
  const reports: Report[] = []
  const done = download({
    url,
    sha256: SHA256,
    path,
    report: (event) => reports.push(event),
    subject: 'model',
    step: 'download',
    signal: new AbortController().signal,
    maxBytes: 1_000_000,
    stallMs: 300,
    ...more,
  })
  return {done, reports}
}

/** Serves ranges, as every file server does. */
const ranges: Handler = (request, reply) => {
  const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? []
  const start = Number(from ?? 0)
  const rest = CONTENT.subarray(start)
  reply.writeHead(from === undefined ? 200 : 206, {
    'content-length': rest.length,
    ...(from === undefined
      ? {}
      : {'content-range': `bytes ${start}-${CONTENT.length - 1}/${CONTENT.length}`}),
  })
  reply.end(rest)
}

test('a whole download is checked, put in its place, and reported with its size', async () => {
  const {done, reports} = fetchModel(await serve(ranges))
  await done
  expect(readFileSync(path).equals(CONTENT)).toBe(true)
  expect(existsSync(`${path}.part`)).toBe(false)
  expect(reports.findLast(({kind}) => kind === 'bytes')).toMatchObject({
    done: 300_000,
    total: 300_000,
  })
  expect(reports.at(-1)).toMatchObject({kind: 'done'})
})

test('connections that break are taken up again at the byte where they broke', async () => {
  const asked: number[] = []
  const url = await serve((request, reply) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    asked.push(start)
    if (asked.length > 2) return ranges(request, reply)
    reply.writeHead(start === 0 ? 200 : 206, {
      'content-length': CONTENT.length - start,
      'content-range': `bytes ${start}-299999/300000`,
    })
    // Cut once the client has some of it: it asked for the next byte then, whichever that is.
    reply.write(CONTENT.subarray(start, start + 50_000))
    const seen = setInterval(() => {
      if (!existsSync(`${path}.part`) || statSync(`${path}.part`).size <= start) return
      clearInterval(seen)
      reply.destroy()
    }, 5)
  })
  await fetchModel(url).done
  expect(asked).toHaveLength(3)
  expect(asked[0]).toBe(0)
  expect(asked[1]).toBeGreaterThan(0)
  expect(asked[2]).toBeGreaterThan(asked[1] ?? 0)
  expect(readFileSync(path).equals(CONTENT)).toBe(true)
})

test('what an interrupted run left is used by the next one', async () => {
  writeFileSync(`${path}.part`, CONTENT.subarray(0, 250_000))
  const asked: Array<string | undefined> = []
  const url = await serve((request, reply) => {
    asked.push(request.headers.range)
    ranges(request, reply)
  })
  await fetchModel(url).done
  expect(asked).toEqual(['bytes=250000-'])
  expect(readFileSync(path).equals(CONTENT)).toBe(true)
})

test('a server that knows no ranges sends it all again', async () => {
  writeFileSync(`${path}.part`, 'something else')
  const url = await serve((_, reply) => reply.end(CONTENT))
  await fetchModel(url).done
  expect(readFileSync(path).equals(CONTENT)).toBe(true)
})

test('other bytes than those of the hash are thrown away, and the message holds no secret', async () => {
  const url = await serve((_, reply) => reply.end('not the model'))
  const error = await fetchModel(url).done.catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({code: 'DOWNLOAD_FAILED', message: expect.stringContaining('sha256')})
  expect(String(error)).not.toContain('secret')
  expect(existsSync(path)).toBe(false)
  expect(existsSync(`${path}.part`)).toBe(false)
})

test.each([
  ['404', (_: IncomingMessage, reply: ServerResponse) => reply.writeHead(404).end(), 'HTTP 404'],
  [
    'too large by its own word',
    (_: IncomingMessage, reply: ServerResponse) => {
      reply.writeHead(200, {'content-length': 2_000_000})
      reply.write('x')
    },
    '2000000 bytes, more than 1000000',
  ],
  [
    'too large without a word',
    (_: IncomingMessage, reply: ServerResponse) => {
      for (let i = 0; i < 5; i++) reply.write(CONTENT)
      reply.end()
    },
    'larger than 1000000 bytes',
  ],
  ['a server that sends nothing', () => {}, 'no byte for 0.3 s'],
] as const)('%s fails with the reason', async (_, handler, why) => {
  const {done} = fetchModel(await serve(handler))
  await expect(done).rejects.toMatchObject({
    code: 'DOWNLOAD_FAILED',
    message: expect.stringContaining(why),
  })
  expect(existsSync(path)).toBe(false)
})

test('an abort ends it at once with its reason, and keeps what came', async () => {
  const stop = new AbortController()
  const url = await serve((_, reply) => {
    reply.writeHead(200, {'content-length': CONTENT.length})
    reply.write(CONTENT.subarray(0, 100_000))
  })
  const reason = new Error('enough')
  const reports: Report[] = []
  const done = download({
    url,
    sha256: SHA256,
    path,
    report: (event) => {
      reports.push(event)
      if (event.kind === 'bytes' && event.done === 100_000) stop.abort(reason)
    },
    subject: 'model',
    step: 'download',
    signal: stop.signal,
    maxBytes: 1_000_000,
    stallMs: 60_000,
  })
  await expect(done).rejects.toBe(reason)
  expect(readFileSync(`${path}.part`)).toHaveLength(100_000)
})
