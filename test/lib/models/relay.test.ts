import {randomBytes} from 'node:crypto'
import {expect, test} from 'vitest'
import {type BlobSink, type BlobSource, relayBlob} from '../../../src/lib/models/relay.ts'

// No wire here: the relay itself is between two, and its sources and sinks are streams of this test.

const content = randomBytes(3_000_000)
const blob = {digest: 'sha256:x', sizeBytes: content.length}
const calm = {signal: new AbortController().signal, onBytes: () => {}}

const source = (read: {from: number}, breaksAt = Number.POSITIVE_INFINITY): BlobSource => ({
  async read(_, offset, {take}) {
    read.from = offset
    for (let at = offset; at < content.length; at += 60_000) {
      if (at > breaksAt) throw new Error('the source broke')
      await take(content.subarray(at, at + 60_000))
    }
  },
})
interface Kept extends BlobSink {
  got: Buffer
}
const sink = (name: string, part = 0, dies = false): Kept => ({
  name,
  got: content.subarray(0, part),
  partOf: () => part,
  async write(_, __, {bytes}) {
    for await (const chunk of bytes) {
      this.got = Buffer.concat([this.got, chunk as Buffer])
      if (dies && this.got.length > 1_000_000) throw new Error(`${name} died`)
    }
    if (this.got.length < content.length) throw new Error(`${name} was cut off`)
  },
})

test('one reading fills all, and each gets only what it lacks', async () => {
  const sinks = [sink('a', 1_000_000), sink('b', 2_000_001)]
  const read = {from: -1}
  const ends = await relayBlob(blob, {source: source(read), sinks}, calm)
  expect(read.from).toBe(1_000_000)
  for (const one of sinks) expect(one.got.equals(content)).toBe(true)
  expect(sinks.map((one) => ends.get(one))).toEqual([
    {ok: true, sent: 2_000_000},
    {ok: true, sent: 999_999},
  ])
})

test('one that dies is left behind, and the others are filled', async () => {
  const [bad, good] = [sink('bad', 0, true), sink('good')]
  const ends = await relayBlob(blob, {source: source({from: 0}), sinks: [bad, good]}, calm)
  expect(ends.get(bad)).toMatchObject({ok: false, error: {message: 'bad died'}})
  expect(ends.get(good)).toMatchObject({ok: true})
  expect(good.got.equals(content)).toBe(true)
})

test('a source that breaks is an error, and no sink takes the part for the whole', async () => {
  const one = sink('one')
  const broken = source({from: 0}, 1_000_000)
  await expect(relayBlob(blob, {source: broken, sinks: [one]}, calm)).rejects.toThrow(
    'source broke',
  )
  expect(one.got.length).toBeLessThan(content.length)
})

test('one that takes nothing is left behind after a while', async () => {
  const stuck: BlobSink = {
    name: 'stuck',
    partOf: () => 0,
    write: (_, __, {signal}) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), {once: true})
      }),
  }
  const big = {digest: 'sha256:y', sizeBytes: 3 * content.length}
  const endless: BlobSource = {
    async read(_, __, {take}) {
      for (let n = 0; n < 3; n++) await take(content)
    },
  }
  const ends = await relayBlob(big, {source: endless, sinks: [stuck]}, {...calm, stallMs: 50})
  expect(ends.get(stuck)).toMatchObject({ok: false, error: {code: 'TIMEOUT'}})
})

test('an abort ends it with its reason', async () => {
  const stop = new AbortController()
  const one = sink('one')
  const slow: BlobSource = {
    async read(_, __, {take, signal}) {
      await take(content.subarray(0, 100))
      stop.abort(new Error('enough'))
      signal.throwIfAborted()
    },
  }
  const call = {...calm, signal: stop.signal}
  await expect(relayBlob(blob, {source: slow, sinks: [one]}, call)).rejects.toThrow('enough')
})
