import {mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
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
