import {execFileSync} from 'node:child_process'
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import fc from 'fast-check'
import {afterAll, expect, test} from 'vitest'
import {unifiedDiff} from '../../../src/lib/desired/unified.ts'

const dir = mkdtempSync(join(tmpdir(), 'ollamax-unified-'))
afterAll(() => rmSync(dir, {recursive: true}))

const diff = (a: string, b: string) => unifiedDiff({name: 'old', text: a}, {name: 'new', text: b})

test('what differs is shown with three lines around it', () => {
  const a = 'one\ntwo\nthree\nfour\nfive\nsix\n'
  expect(diff(a, a.replace('five', '5'))).toBe(
    '--- old\n+++ new\n@@ -2,5 +2,5 @@\n two\n three\n four\n-five\n+5\n six',
  )
  expect(diff(a, a)).toBe('')
  expect(diff('', 'one\n')).toBe('--- old\n+++ new\n@@ -0,0 +1 @@\n+one')
})

test('patch makes one text out of the other by it', () => {
  const text = fc
    .array(fc.constantFrom('a', 'b', 'c', 'd'), {maxLength: 20})
    .map((lines) => lines.map((line) => `${line}\n`).join(''))
  const file = join(dir, 'text')
  fc.assert(
    fc.property(text, text, (a, b) => {
      fc.pre(a !== b && b !== '')
      writeFileSync(file, a)
      execFileSync('patch', ['-s', '-u', '--no-backup-if-mismatch', '-o', `${file}.new`, file], {
        input: `${diff(a, b)}\n`,
      })
      expect(execFileSync('cat', [`${file}.new`], {encoding: 'utf8'})).toBe(b)
    }),
    {numRuns: 60},
  )
})
