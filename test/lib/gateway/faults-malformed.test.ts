import {connect} from 'node:net'
import {gzipSync} from 'node:zlib'
import {expect, test} from 'vitest'
import type {TestGateway} from '../../support/gateway.ts'
import {gatewayHarness} from '../../support/gateway-harness.ts'
import {ask, askMany, figures, say} from '../../support/load.ts'

// What no client should send; nothing of it may reach a node as anything else, or speak against a node.

const open = gatewayHarness()

const start = () => open([{}])

const chat = {model: 'tiny', messages: [{role: 'user', content: 'hi'}], stream: false}
const good = JSON.stringify(chat)

const tricky: readonly (readonly [string, string | Buffer])[] = [
  ['a number', '1'],
  ['a text', '"x"'],
  ['null', 'null'],
  ['a list', '[{}]'],
  ['nothing', ''],
  ['half of it', good.slice(0, 30)],
  ['two objects', good + good],
  ['a comma too many', `${good.slice(0, -1)},}`],
  ['a byte order mark', `\uFEFF${good}`],
  ['UTF-16', Buffer.from(good, 'utf16le')],
  ['gzip', gzipSync(good)],
  ['NULs', Buffer.alloc(1000)],
  [
    'bytes that are no UTF-8',
    Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xff, 0xc0, 0x80]), Buffer.from('"}')]),
  ],
  ['half of a surrogate', '{"model":"\\ud800","messages":[]}'],
  ['deep nesting', `{"model":"tiny","messages":${'['.repeat(100_000)}`],
  ['deep nesting that ends', `{"model":"tiny","messages":${'['.repeat(5000)}${']'.repeat(5000)}}`],
  ['a prototype', '{"model":"tiny","__proto__":{"stream":false},"constructor":1,"messages":[]}'],
  ['two models', '{"model":"tiny","model":"other","messages":[]}'],
  ['two spellings', '{"model":"tiny","Model":"other","messages":[]}'],
  ...[
    '5',
    'null',
    '{}',
    '[]',
    'true',
    '""',
    '" "',
    '"../../x"',
    `"${'m'.repeat(100_000)}"`,
    '"a\\u0000b"',
    '"a\\r\\nX-Evil: 1"',
  ].map((model) => [`model ${model.slice(0, 20)}`, `{"model":${model},"messages":[]}`] as const),
  ...[
    '"messages":"x"',
    '"messages":[5]',
    '"messages":{}',
    '"messages":[{"role":5,"content":{}}]',
    '"stream":"yes","messages":[]',
    '"options":[],"messages":[]',
    '"options":{"num_ctx":1e999},"messages":[]',
    '"options":{"num_ctx":-5},"messages":[]',
    '"options":{"num_ctx":"big"},"messages":[]',
    '"options":{"num_predict":{}},"messages":[]',
    '"keep_alive":{},"messages":[]',
    '"tools":5,"messages":[]',
    '"format":5,"messages":[]',
  ].map((fields) => [fields, `{"model":"tiny",${fields}}`] as const),
]

test('bodies of any kind get an answer in JSON, and never speak against the node', async () => {
  const gateway = await start()
  const paths = [
    '/api/chat',
    '/api/generate',
    '/api/embed',
    '/v1/chat/completions',
    '/v1/messages',
    '/v1/responses',
    '/api/show',
    '/api/pull',
    '/api/copy',
  ]
  const sent = paths.flatMap((path) => tricky.map(([name, body]) => ({path, name, body})))
  const statuses: Record<string, number> = {}
  const all = await askMany(
    sent.length,
    8,
    (at) => ask(gateway.url, sent[at]?.body ?? '', {path: sent[at]?.path ?? ''}),
    ({status}) => {
      statuses[status] = (statuses[status] ?? 0) + 1
    },
  )
  const after = await ask(gateway.url, chat).done
  figures('bodies of any kind', all, {statuses: JSON.stringify(statuses)})
  for (const [at, {status, text, headers}] of all.entries()) {
    const what = `${sent[at]?.path} ${sent[at]?.name}: ${status} ${text.slice(0, 200)}`
    expect(status, what).toBeGreaterThanOrEqual(200)
    expect(status, what).not.toBe(502)
    expect(headers, what).not.toHaveProperty('x-evil')
    // What a node has no such path for it says in plain text.
    if (text !== '' && !/^404 page/.test(text))
      expect(
        () =>
          text
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line)),
        what,
      ).not.toThrow()
  }
  expect(after).toMatchObject({ending: 'answered', headers: {'x-ollamax-attempts': '1'}})
})

/** What would be done if a body were taken for a request. */
const hidden =
  'DELETE /api/delete HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 16\r\n\r\n{"model":"tiny"}'
const to = (headers: string, body: string, line = 'POST /api/chat HTTP/1.1') =>
  `${line}\r\nHost: 127.0.0.1\r\n${headers}\r\n\r\n${body}`
const chunked = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`

/** Refused, and the connection closed. */
const refused: readonly string[] = [
  to(`Transfer-Encoding: chunked\r\nContent-Length: 4`, `0\r\n\r\n${hidden}`),
  to(`Content-Length: 5\r\nTransfer-Encoding: chunked`, `0\r\n\r\n${hidden}`),
  to('Transfer-Encoding: chunked, identity', `0\r\n\r\n${hidden}`),
  to('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', `0\r\n\r\n${hidden}`),
  to('Transfer-Encoding: xchunked', `0\r\n\r\n${hidden}`),
  to('Transfer-Encoding:\x0bchunked', `0\r\n\r\n${hidden}`),
  to('Transfer-Encoding : chunked', `0\r\n\r\n${hidden}`),
  to('A: b\rTransfer-Encoding: chunked', `0\r\n\r\n${hidden}`),
  to('A: b\0c', ''),
  to('Content-Length: +5', `aaaaa${hidden}`),
  to('Content-Length: -1', hidden),
  to('Content-Length: 0x5', `aaaaa${hidden}`),
  to('Content-Length: 5, 5', `aaaaa${hidden}`),
  to('Content-Length: 5\r\nContent-Length: 5', `aaaaa${hidden}`),
  to('Content-Length: 99999999999999999999', hidden),
  to('Content-Length:', hidden),
  to('Transfer-Encoding: chunked', `0x5\r\naaaaa\r\n0\r\n\r\n${hidden}`),
  to('Transfer-Encoding: chunked', `-1\r\n${hidden}`),
  to('Transfer-Encoding: chunked', `fffffffffffffffff\r\n${hidden}`),
  to('Transfer-Encoding: chunked', `5\naaaaa\n0\n\n${hidden}`),
  to('Transfer-Encoding: chunked', `1;${'a'.repeat(40_000)}\r\na\r\n0\r\n\r\n`),
  `POST /api/chat HTTP/1.1\nHost: 127.0.0.1\nContent-Length: 4\n\n${hidden}`,
  to('A: b', '', 'POST  /api/chat  HTTP/1.1'),
  to('A: b', '', 'POST /api/chat HTTP/1.1 HTTP/1.1'),
  to('A: b', '', 'post /api/chat HTTP/1.1'),
  to('A: b', '', 'POST /api/ch at HTTP/1.1'),
  to('A: b', '', 'POST /api/chat\x01 HTTP/1.1'),
  to('Connection: close\r\nExpect: everything', good),
  'GET / HTTP/1.1\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  to(
    'Transfer-Encoding: chunked\r\nTrailer: Content-Length',
    `${good.length.toString(16)};a=b\r\n${good}\r\n0\r\nContent-Length: 5\r\n\r\n`,
  ),
]

/** Answered as what it is: one request, whose body is a body. */
const answered: readonly string[] = [
  to(`Content-Length: ${good.length}`, good),
  to('Transfer-Encoding: chunked', chunked(good)),
  to('Transfer-Encoding: Chunked', chunked(good)),
  to(
    `Content-Length: ${good.length}\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__`,
    good,
  ),
  to(`Content-Length: ${good.length}\r\nConnection: X-Secret, Content-Length\r\nX-Secret: 1`, good),
  to(`Content-Length: ${good.length}\r\nX-Bytes: \xe4\xff`, good),
]

/** All that comes back until the gateway closes. */
async function raw(gateway: TestGateway, text: string): Promise<string> {
  const socket = connect(gateway.port, '127.0.0.1')
  let got = ''
  socket.on('data', (chunk: Buffer) => {
    got += chunk.toString('latin1')
  })
  socket.on('error', () => {})
  socket.setTimeout(2000, () => {
    got += '(still open)'
    socket.destroy()
  })
  socket.write(text, 'latin1')
  await new Promise((closed) => socket.once('close', closed))
  return got
}

test('no shape of a request hides another one from the gateway', async () => {
  const gateway = await start()
  const [node] = gateway.nodes
  const worked = () => node?.requests.filter(({method}) => method !== 'GET').length ?? 0
  const answers = await Promise.all(refused.map((shape) => raw(gateway, shape)))
  for (const [at, shape] of refused.entries()) {
    const got = answers[at] ?? ''
    expect(got, JSON.stringify(shape)).toMatch(/^HTTP\/1\.1 4\d\d /)
    expect(got.match(/HTTP\/1\.1 \d\d\d/g), JSON.stringify(shape)).toHaveLength(1)
    expect(worked(), JSON.stringify(shape)).toBe(0)
  }
  for (const shape of answered) {
    const before = worked()
    const got = await raw(gateway, shape.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
    expect(got, JSON.stringify(shape)).toMatch(/^HTTP\/1\.1 200 /)
    expect(worked() - before, JSON.stringify(shape)).toBe(1)
  }
  const seen = node?.requests.filter(({method}) => method === 'POST') ?? []
  for (const {headers} of seen) {
    expect(headers).not.toHaveProperty('transfer-encoding')
    expect(headers).not.toHaveProperty('upgrade')
    expect(headers).not.toHaveProperty('x-secret')
    expect(headers['content-length']).toBe(`${good.length}`)
  }
  say('shapes of requests', {
    sent: refused.length + answered.length,
    answered: answered.length,
    retried: 0,
    failed: 0,
    refused: refused.length,
  })
})

test('floods of headers are refused, as many and as large ones', async () => {
  const gateway = await start()
  const floods = {
    'many small': 'A: b\r\n'.repeat(6000),
    'one large': `A: ${'b'.repeat(100_000)}\r\n`,
    'a long name': `${'a'.repeat(100_000)}: b\r\n`,
  }
  for (const [name, headers] of Object.entries(floods)) {
    const all = await Promise.all(
      Array.from({length: 20}, () =>
        raw(gateway, `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n`),
      ),
    )
    // The reset may overtake the answer where much of the flood is unread.
    const ok = all.filter((got) => got === '' || /^HTTP\/1\.1 431 /.test(got)).length
    say(`headers, ${name}`, {sent: all.length, refused: ok})
    expect(ok).toBe(all.length)
  }
  // As many as are allowed in size are not all kept, and none that is not passes a limit unseen.
  const got = await raw(
    gateway,
    `GET /api/version HTTP/1.1\r\nHost: 127.0.0.1\r\n${'A: b\r\n'.repeat(1000)}Connection: close\r\n\r\n`,
  )
  expect(got).toMatch(/^HTTP\/1\.1 (200|431) /)
  const path = await raw(gateway, `GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
  expect(path).toMatch(/^(HTTP\/1\.1 4\d\d |$)/)
})
