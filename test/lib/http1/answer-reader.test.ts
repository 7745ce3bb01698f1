import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {AnswerReader} from '../../../src/lib/http1/answer-reader.ts'

/** What a reader tells of the bytes, given in pieces that end at these places; each piece is overwritten after use. */
function read(
  text: string,
  {cuts = [], bodyless = false}: {cuts?: number[]; bodyless?: boolean} = {},
) {
  const bytes = Buffer.from(text, 'latin1')
  const told = {
    status: 0,
    headers: [] as string[],
    body: '',
    rest: '',
    reusable: false,
    done: false,
  }
  const reader = new AnswerReader({
    head: (status, headers) => Object.assign(told, {status, headers: [...headers]}),
    data: (piece) => {
      told.body += piece.toString('latin1')
    },
  })
  reader.begin(bodyless)
  const places = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length]
  for (let i = 1; i < places.length; i++) {
    const piece = Buffer.from(bytes.subarray(places[i - 1], places[i]))
    const at = reader.push(piece)
    told.rest += piece.toString('latin1', at)
    piece.fill(0)
  }
  told.done = reader.done
  told.reusable = reader.reusable
  return told
}

const chunked = (...pieces: string[]) =>
  `${pieces.map((it) => `${it.length.toString(16)}\r\n${it}\r\n`).join('')}0\r\n\r\n`

describe('an answer', () => {
  test.each([
    ['by its length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'hello'],
    [
      'by chunks',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked('he', 'llo')}`,
      'hello',
    ],
    [
      'with extensions and trailers',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b;c="d"\r\nhello\r\n000\r\nX-A: b\r\nX-C:\r\n\r\n',
      'hello',
    ],
    [
      'after interim ones',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      'ok',
    ],
    ['without a reason', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n', ''],
    ['of no content', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
  ])('%s is read whole, in whatever pieces it comes', (_, text, body) => {
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), {maxLength: 8}), (cuts) => {
        expect(read(text, {cuts})).toMatchObject({body, rest: '', done: true, reusable: true})
      }),
    )
    // One byte at a time.
    const every = Array.from({length: text.length}, (_, at) => at)
    expect(read(text, {cuts: every})).toMatchObject({body, done: true})
  })

  test('leaves what follows it alone', () => {
    const next = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged'
    expect(read(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${next}`)).toMatchObject({
      body: 'ok',
      rest: next,
    })
  })

  test('to HEAD has no body, whatever its length says', () => {
    const text = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'
    expect(read(text, {bodyless: true})).toMatchObject({body: '', done: true, reusable: true})
    expect(read(text)).toMatchObject({done: false})
  })

  test('tells its headers as they are, without the space around them', () => {
    const {headers} = read(
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Odd:\t a  b \t\r\nx-odd:\r\n\r\n',
    )
    expect(headers).toEqual(['Content-Length', '0', 'X-Odd', 'a  b', 'x-odd', ''])
  })

  test.each([
    ['that closes', 'HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n'],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ])('%s leaves no connection for another request', (_, text) => {
    expect(read(text)).toMatchObject({done: true, reusable: false})
  })
})

test('an answer without a length ends with its connection, and not before', () => {
  let body = ''
  const reader = new AnswerReader({
    head() {},
    data(it) {
      body += it.toString('latin1')
    },
  })
  reader.begin()
  reader.push(Buffer.from('HTTP/1.1 200 OK\r\n\r\nso'))
  reader.push(Buffer.from(' far'))
  expect([reader.done, body]).toEqual([false, 'so far'])
  expect([reader.closed(), reader.done, reader.reusable]).toEqual([true, true, false])
})

test('an answer with a length, or in chunks, is not whole when the connection ends before', () => {
  for (const head of [
    'Content-Length: 5\r\n\r\nhel',
    'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
  ]) {
    const reader = new AnswerReader({head() {}, data() {}})
    reader.begin()
    reader.push(Buffer.from(`HTTP/1.1 200 OK\r\n${head}`))
    expect(reader.closed()).toBe(false)
  }
})

test.each([
  'SSH-2.0-OpenSSH_9.2\r\n',
  'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
  'HTTP/2.0 200 OK\r\n\r\n',
  'HTTP/1.1 99 Odd\r\n\r\n',
  'HTTP/1.1 2000 OK\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 5 5\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding:\x0bchunked\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding:\xa0chunked\r\n\r\n',
  'HTTP/1.1 200 OK\r\nA b: c\r\n\r\n',
  'HTTP/1.1 200 OK\r\nA : c\r\n\r\n',
  'HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n',
  'HTTP/1.1 200 OK\r\nA: b\rB: c\r\n\r\n',
  'HTTP/1.1 200 OK\r\nA: b\nB: c\r\n\r\n',
  'HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n',
  `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(70_000)}`,
  ...[
    'x\r\n',
    '-1\r\n',
    '5 \r\nhello\r\n',
    '5\nhello\n',
    '5\r\nhello!\r\n',
    ';a\r\n',
    '1234567890123\r\n',
    `5;${'a'.repeat(20_000)}`,
    '0\r\nA b: c\r\n\r\n',
    '0\r\nContent-Length: 5\r\n\r\n',
    `0\r\n${'A: b\r\n'.repeat(5000)}`,
  ].map((body) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`),
])('%j is no answer, however it is cut', (text) => {
  expect(() => read(text)).toThrow(/./)
  fc.assert(
    fc.property(fc.array(fc.nat(text.length), {maxLength: 4}), (cuts) => {
      expect(() => read(text, {cuts})).toThrow(/./)
    }),
    {numRuns: 30},
  )
})
