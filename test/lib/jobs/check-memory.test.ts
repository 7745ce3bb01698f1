import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import type {Report} from '../../../src/lib/cluster/report.ts'
import {checkMemory} from '../../../src/lib/jobs/check-memory.ts'
import {type NodeMemory, readMemory} from '../../../src/lib/jobs/memory-of.ts'

const GIB = 2 ** 30
const of = (gib: number, more = false): NodeMemory => ({
  ...{freeBytes: 0, totalBytes: gib * GIB, more},
})

/** What becomes of a model of so many GiB. */
function verdict(gib: number, memory: NodeMemory | undefined, force = false): string {
  const said: Report[] = []
  const report = (one: Report) => void said.push(one)
  try {
    checkMemory({node: 'n1', model: 'big', sizeBytes: gib * GIB, memory, force, report})
  } catch (error) {
    return (error as {code: string}).code
  }
  return said.length === 0 ? 'fine' : said.map(({kind}) => kind).join()
}

test.each([
  ['half of it', 8, of(16), false, 'fine'],
  ['all of it', 16, of(16), false, 'warn'],
  ['more than there is', 17, of(16), false, 'NO_SPACE'],
  ['more than there is, by force', 17, of(16), true, 'warn'],
  ['more, beside a GPU that does not tell', 17, of(16, true), false, 'warn'],
  ['anything, where nothing is known', 9000, undefined, false, 'fine'],
] as const)('a model that takes %s', (_, gib, memory, force, is) => {
  expect(verdict(gib, memory, force)).toBe(is)
})

test('only what is larger than all memory is refused, and never by force', () => {
  const size = fc.integer({min: 1, max: 100})
  fc.assert(
    fc.property(size, size, fc.boolean(), fc.boolean(), (model, has, more, force) => {
      const refused = verdict(model, of(has, more), force) === 'NO_SPACE'
      expect(refused).toBe(model > has && !more && !force)
    }),
  )
})

describe('what a machine tells', () => {
  test('memory, swap and GPUs are added up', () => {
    const text = 'free 100\nall 200\nall 50\nfree 30\nall 40\n'
    expect(readMemory(text)).toEqual({freeBytes: 130 * 1024, totalBytes: 290 * 1024, more: false})
  })
  test('a GPU that tells nothing is known to be there', () => {
    expect(readMemory('free 1\nall 2\nmore\nmore\n')).toMatchObject({more: true})
  })
  test.each(['', 'more\n', 'free x\nall y\n', 'all 5\n'])('%j is not enough', (text) => {
    expect(readMemory(text)).toBeUndefined()
  })
})
