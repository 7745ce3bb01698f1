import fc from 'fast-check'
import {expect, test} from 'vitest'
import {BadMessage} from '../../../src/lib/http1/message-reader.ts'
import {type RequestHead, RequestReader} from '../../../src/lib/http1/request-reader.ts'

const limits = {maxHeadBytes: 32 * 1024, maxHeaders: 100}

function read(text: string, cuts: readonly number[] = []) {
  const told: {heads: RequestHead[]; bodies: string[]} = {heads: [], bodies: []}
  const reader = new RequestReader(
    {
      head: (head) => {
        told.heads.push(head)
        told.bodies.push('')
      },
      data: (bytes) => {
        told.bodies.push((told.bodies.pop() ?? '') + bytes.toString('latin1'))
      },
    },
    limits,
  )
  const bytes = Buffer.from(text, 'latin1')
  const places = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length]
  for (let i = 1; i < places.length; i++) {
    const piece = bytes.subarray(places[i - 1], places[i])
    for (let at = 0; at < piece.length; ) {
      if (reader.done) reader.begin()
      at = reader.push(piece, at)
    }
  }
  return {...told, done: reader.done}
}

test('requests that follow one another are told apart, in whatever pieces they come', () => {
  const text =
    'POST /api/chat?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody' +
    'GET / HTTP/1.1\r\nhost: x\r\n\r\n' +
    '\r\nPUT /c HTTP/1.1\r\nHOST: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n' +
    'HEAD /d HTTP/1.0\r\n\r\n'
  fc.assert(
    fc.property(fc.array(fc.nat(text.length), {maxLength: 12}), (cuts) => {
      const {heads, bodies, done} = read(text, cuts)
      expect(heads.map(({method, target}) => `${method} ${target}`)).toEqual([
        'POST /api/chat?a=b',
        'GET /',
        'PUT /c',
        'HEAD /d',
      ])
      expect(bodies).toEqual(['body', '', 'abc', ''])
      expect(done).toBe(true)
    }),
  )
})

test('what a head says of its connection and its body is told', () => {
  const head = (text: string) => read(`POST / HTTP/1.1\r\nHost: x\r\n${text}\r\n`).heads[0]
  expect(head('')).toMatchObject({minor: 1, keeps: true, length: 0, expectsContinue: false})
  expect(head('Connection: TE, close\r\n')).toMatchObject({keeps: false})
  expect(head('Transfer-Encoding: chunked\r\n')).toMatchObject({length: -1})
  expect(head('Content-Length: 7\r\nExpect: 100-Continue\r\n')).toMatchObject({
    length: 7,
    expectsContinue: true,
    expectsOther: false,
  })
  expect(head('Expect: tea\r\n')).toMatchObject({expectsOther: true})
  const old = (text: string) => read(`GET / HTTP/1.0\r\n${text}\r\n`).heads[0]
  expect(old('')).toMatchObject({minor: 0, keeps: false})
  expect(old('Connection: keep-alive\r\n')).toMatchObject({keeps: true})
})

test('a header is found by its name in lower case; what stands there twice is joined', () => {
  const {headers} = read('GET / HTTP/1.1\r\nHost: x\r\nX-Key: a\r\nx-key: b\r\n\r\n').heads[0] ?? {}
  expect(headers?.get('x-key')).toBe('a, b')
  expect(headers?.get('host')).toBe('x')
  expect(headers?.get('x-none')).toBeUndefined()
  expect(headers?.raw).toEqual(['Host', 'x', 'X-Key', 'a', 'x-key', 'b'])
})

test('a line is read the same, however often and beside whatever it came before', () => {
  const name = fc.constantFrom('Accept', 'ACCEPT', 'X-A', 'Authorization', 'Connection', 'X-Long')
  const value = fc.oneof(
    fc.constantFrom('a', 'b: c', '', 'close', 'x'.repeat(130)),
    fc.stringMatching(/^[!-~]{1,9}$/),
  )
  const space = fc.constantFrom('', ' ', '  ', '\t')
  fc.assert(
    fc.property(fc.array(fc.tuple(name, space, value, space), {maxLength: 6}), (lines) => {
      const text = lines.map(([n, before, v, after]) => `${n}:${before}${v}${after}\r\n`).join('')
      const told = lines.flatMap(([n, , v]) => [n, v])
      for (let times = 0; times < 2; times++) {
        const {headers, keeps} = read(`GET / HTTP/1.1\r\nHost: x\r\n${text}\r\n`).heads[0] ?? {}
        expect(headers?.raw).toEqual(['Host', 'x', ...told])
        const closes = lines.some(([n, , v]) => n === 'Connection' && v === 'close')
        expect(keeps).toBe(!closes)
        const accepts = lines.filter(([n]) => n.toLowerCase() === 'accept').map(([, , v]) => v)
        expect(headers?.get('accept')).toBe(accepts.length > 0 ? accepts.join(', ') : undefined)
      }
    }),
  )
})

test.each([
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  'get / HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET  / HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET / HTTP/1.1 \r\nHost: x\r\n\r\n',
  'GET /\xe4 HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /\t HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET / HTTP/1.1\nHost: x\n\n',
  'GET / HTTP/1.2\r\nHost: x\r\n\r\n',
  'GET / HTTP/1.1\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: x,y\r\n\r\n',
  'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
])('%j is no request', (text) => {
  expect(() => read(text)).toThrow(BadMessage)
})

test('heads that are too long, and too many headers, are told apart from bad ones', () => {
  const status = (text: string) => {
    try {
      read(text)
    } catch (error) {
      return (error as BadMessage).status
    }
    return undefined
  }
  expect(status(`GET /${'a'.repeat(33_000)}`)).toBe(431)
  expect(status(`GET / HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(100)}\r\n`)).toBe(431)
  expect(status(`GET / HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(99)}\r\n`)).toBeUndefined()
  expect(status('GET / HTTP/1.1\r\nHost : x\r\n\r\n')).toBe(400)
})
