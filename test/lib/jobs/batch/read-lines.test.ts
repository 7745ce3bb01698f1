import fc from 'fast-check'
import {expect, test} from 'vitest'
import {readLines} from '../../../../src/lib/jobs/batch/read-lines.ts'

async function read(bytes: Uint8Array, sizes: readonly number[], maxBytes?: number) {
  async function* chunks() {
    let at = 0
    for (const size of sizes) {
      yield bytes.subarray(at, at + size)
      at += size
    }
    yield bytes.subarray(at)
  }
  const lines = []
  for await (const line of readLines(chunks(), maxBytes)) lines.push(line)
  return lines
}

test('whatever pieces the bytes come in, each line comes once, with its number', async () => {
  const line = fc.string({unit: 'grapheme'}).map((text) => text.replace(/[\r\n\uFEFF]/g, '').trim())
  await fc.assert(
    fc.asyncProperty(
      fc.array(line),
      fc.array(fc.nat(20)),
      fc.constantFrom('\n', '\r\n'),
      fc.boolean(),
      async (texts, sizes, end, last) => {
        const bytes = Buffer.from(texts.join(end) + (last ? end : ''))
        const wanted = texts.flatMap((text, at) => (text ? [{line: at + 1, text}] : []))
        expect(await read(bytes, sizes)).toEqual(wanted)
      },
    ),
  )
})

test('a mark before the first line is none of it', async () => {
  expect(await read(Buffer.from('\uFEFF"a"\n'), [])).toEqual([{line: 1, text: '"a"'}])
})

test('what is too long or no text is told, and the next line is read as ever', async () => {
  const bytes = Buffer.concat([
    Buffer.from(`${'x'.repeat(50)}\n`),
    Buffer.from([0xff, 10]),
    Buffer.from('ok\n'),
  ])
  expect(await read(bytes, [10, 10], 20)).toEqual([
    {line: 1, broken: 'longer than 20 bytes'},
    {line: 2, broken: 'no UTF-8'},
    {line: 3, text: 'ok'},
  ])
})
