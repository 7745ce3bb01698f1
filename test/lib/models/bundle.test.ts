import {execFileSync} from 'node:child_process'
import {createHash, randomBytes} from 'node:crypto'
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {readBundle, writeBundle} from '../../../src/lib/models/bundle.ts'
import {blobsOf, parseManifest} from '../../../src/lib/models/manifest.ts'
import type {BlobSource} from '../../../src/lib/models/relay.ts'
import {parseHeader} from '../../../src/lib/provision/tar-header.ts'
import {fileHeader} from '../../../src/lib/provision/tar-writer.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ox-bundle-'))
})
afterEach(() => rmSync(dir, {recursive: true}))

const sha = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const files = [Buffer.from('{"config":1}'), randomBytes(200_000), Buffer.from('template')]
const layers = files.map((bytes) => ({digest: sha(bytes), size: bytes.length, mediaType: 'x'}))
const manifest = parseManifest(
  Buffer.from(JSON.stringify({config: layers[0], layers: layers.slice(1)})),
  'it',
)
const path = 'registry.ollama.ai/library/tiny/latest'
const source = (change = (bytes: Buffer) => bytes): BlobSource => ({
  async read(blob, offset, {take}) {
    const bytes = files.find((one) => sha(one) === blob.digest) ?? Buffer.alloc(0)
    await take(change(bytes.subarray(offset)))
  },
})
const write = (file: string, from = source()) =>
  writeBundle(file, {
    path,
    manifest,
    source: from,
    onBytes: () => {},
    signal: new AbortController().signal,
  })

test('what was written is read again, and tar unpacks it as a store', async () => {
  const file = join(dir, 'a.tar')
  await write(file)
  const bundle = await readBundle(file)
  expect(bundle.path).toBe(path)
  expect(bundle.manifest.digest).toBe(manifest.digest)
  for (const blob of blobsOf(manifest)) {
    const chunks: Buffer[] = []
    const call = {
      take: (chunk: Buffer) => void chunks.push(chunk),
      signal: AbortSignal.timeout(5000),
    }
    await bundle.source.read(blob, 3, call)
    const wanted = files.find((one) => sha(one) === blob.digest)?.subarray(3)
    expect(Buffer.concat(chunks).equals(wanted ?? Buffer.alloc(0))).toBe(true)
  }
  execFileSync('tar', ['-xf', file, '-C', dir])
  expect(readFileSync(join(dir, 'manifests', path)).equals(manifest.bytes)).toBe(true)
})

test('bytes that are not what their name says are refused, and no file is left', async () => {
  const file = join(dir, 'a.tar')
  const flipped = source((bytes) =>
    Buffer.from(bytes.map((byte, at) => (at === 5 ? byte ^ 1 : byte))),
  )
  await expect(write(file, flipped)).rejects.toMatchObject({code: 'MODEL_DAMAGED'})
  expect([existsSync(file), existsSync(`${file}.part`)]).toEqual([false, false])
})

test('a file that cannot be written is an error with its path', async () => {
  const file = join(dir, 'no/where.tar')
  await expect(write(file)).rejects.toMatchObject({code: 'STATE_IO'})
})

test('a bundle that was cut off anywhere, or is none, is refused', async () => {
  const file = join(dir, 'a.tar')
  await write(file)
  const whole = readFileSync(file)
  for (const length of [0, 100, 512, 1024, 70_000, whole.length - 1100]) {
    writeFileSync(file, whole.subarray(0, length))
    await expect(readBundle(file), `${length} bytes`).rejects.toMatchObject({code: 'MODEL_DAMAGED'})
  }
  writeFileSync(file, randomBytes(5000))
  await expect(readBundle(file)).rejects.toMatchObject({code: 'MODEL_DAMAGED'})
  await expect(readBundle(join(dir, 'none'))).rejects.toMatchObject({code: 'STATE_IO'})
})

test.each([0, 1, 8 ** 11 - 1, 8 ** 11, 500 * 2 ** 30])('a header tells a size of %d', (size) => {
  const long = `manifests/${'h'.repeat(60)}/${'n'.repeat(40)}/model/tag`
  for (const name of ['blobs/x', long]) {
    const header = fileHeader(name, size)
    expect(header && parseHeader(header)).toMatchObject({path: name, sizeBytes: size, type: '0'})
  }
})

test('a name that no header can hold has none', () => {
  expect(fileHeader('x'.repeat(101), 1)).toBeUndefined()
})
