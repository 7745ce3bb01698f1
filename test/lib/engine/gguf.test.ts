import {mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import fc from 'fast-check'
import {afterAll, expect, test} from 'vitest'
import {readGguf} from '../../../src/lib/engine/model/gguf.ts'
import {modelCard} from '../../../src/lib/engine/model/model-card.ts'
import {writeTinyGguf} from '../../support/tiny-gguf.ts'

const directory = mkdtempSync(join(tmpdir(), 'ollamax-gguf-'))
const path = join(directory, 'm.gguf')
afterAll(() => rmSync(directory, {recursive: true}))

test('the header tells what the model is', async () => {
  writeTinyGguf(path, {name: 'small', pooling: 1})
  const card = modelCard(await readGguf(path))
  expect(card).toMatchObject({
    family: 'llama',
    quantization: 'F32',
    contextLength: 2048,
    embedding: true,
    capabilities: ['embedding'],
    info: {'general.name': 'small', 'general.parameter_count': 119_616},
  })
})

test('a file that is cut off anywhere is an error of the file, never a crash or a wait', async () => {
  writeTinyGguf(path)
  const whole = readFileSync(path)
  // Closely within the header of some 8 kB, then in larger steps through the weights.
  for (let length = 0; length < 440_000; length += length < 9000 ? 173 : 40_000) {
    writeFileSync(path, whole)
    truncateSync(path, length)
    await expect(readGguf(path)).rejects.toMatchObject({code: 'BAD_INPUT'})
  }
})

test('counts that a file of its size cannot hold are refused', async () => {
  const head = Buffer.alloc(64)
  head.write('GGUF')
  head.writeUInt32LE(3, 4)
  head.writeBigUInt64LE(2n ** 60n, 8)
  writeFileSync(path, head)
  await expect(readGguf(path)).rejects.toMatchObject({code: 'BAD_INPUT'})
})

test.each([
  ['/etc/hostname', 'not a usable GGUF'],
  [join(directory, 'none.gguf'), 'cannot read'],
  [directory, 'not a plain file'],
])('%s is refused with the reason', async (file, why) => {
  await expect(readGguf(file)).rejects.toMatchObject({
    code: 'BAD_INPUT',
    message: expect.stringContaining(why),
  })
})

/** A header with those metadata and tensors, and nothing of the latter. */
function header(parts: readonly Buffer[], {keys = 0, tensors = 0, padding = 64} = {}): void {
  const head = Buffer.alloc(24)
  head.write('GGUF')
  head.writeUInt32LE(3, 4)
  head.writeBigUInt64LE(BigInt(tensors), 8)
  head.writeBigUInt64LE(BigInt(keys), 16)
  writeFileSync(path, Buffer.concat([head, ...parts, Buffer.alloc(padding)]))
}
const outcome = () =>
  readGguf(path).then(
    () => 'read',
    (error: {code: string}) => error.code,
  )
const u32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
const u64 = (value: bigint) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}
const string = (text: string) => Buffer.concat([u64(BigInt(text.length)), Buffer.from(text)])

test('arrays within arrays, which no model has, are refused and not followed down', async () => {
  const nest = Buffer.concat([u32(9), u64(1n)])
  header([string('k'), u32(9), ...Array(50_000).fill(nest), u32(0), u64(1n)], {keys: 1})
  await expect(readGguf(path)).rejects.toMatchObject({
    code: 'BAD_INPUT',
    message: expect.stringContaining('unknown type 9'),
  })
})

test('texts without end are not all taken into memory', async () => {
  const long = Buffer.concat([u64(15n * 2n ** 20n), Buffer.alloc(15 * 2 ** 20, 'x')])
  const pairs = Array.from({length: 6}, (_, i) => [string(`k${i}`), u32(8), long]).flat()
  header(pairs, {keys: 6})
  expect(await outcome()).toBe('BAD_INPUT')
})

test('tensors with more elements than any file of that size could hold are refused', async () => {
  const shape = [u32(4), ...Array(4).fill(u64(2n ** 52n))]
  header([string('t'), ...shape, u32(0), u64(0n)], {tensors: 1})
  expect(await outcome()).toBe('BAD_INPUT')
})

test('any bytes at all are an error of the file or a header, soon', async () => {
  writeTinyGguf(path)
  const whole = readFileSync(path)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({min: 4, max: 9000}), fc.integer({min: 0, max: 255})), {
        minLength: 1,
        maxLength: 20,
      }),
      async (changes) => {
        const bytes = Buffer.from(whole)
        for (const [at, value] of changes) bytes[at] = value
        writeFileSync(path, bytes)
        const found = await readGguf(path).catch((error: unknown) => error)
        if (found instanceof Error) expect(found).toMatchObject({code: 'BAD_INPUT'})
        else expect(Number.isSafeInteger((found as {parameters: number}).parameters)).toBe(true)
      },
    ),
    {numRuns: 200},
  )
})
