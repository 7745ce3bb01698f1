import {execFileSync} from 'node:child_process'
import fc from 'fast-check'
import {expect, test} from 'vitest'
import {quoteForBash, readBashLine} from '../../../src/lib/cli/complete/bash-line.ts'

const BREAKS = ' \t\n"\'@><=;|&(:'

test.each([
  ['ollamax ', ['ollamax', ''], 0, ''],
  ['ollamax no', ['ollamax', 'no'], 0, ''],
  ['ollamax run llama3.2:3', ['ollamax', 'run', 'llama3.2:3'], 9, ''],
  ['ollamax chat --node=gp', ['ollamax', 'chat', '--node=gp'], 7, ''],
  ['ollamax run "my mo', ['ollamax', 'run', 'my mo'], 0, '"'],
  ["ollamax run --node='a:b", ['ollamax', 'run', '--node=a:b'], 7, "'"],
  ['ollamax run my\\ mo', ['ollamax', 'run', 'my mo'], 0, ''],
  ['ollamax run "a\\"b\\n" c', ['ollamax', 'run', 'a"b\\n', 'c'], 0, ''],
  ['ollamax run a\\:b', ['ollamax', 'run', 'a:b'], 0, ''],
] as const)('%j is read as bash reads it', (line, words, left, quote) => {
  expect(readBashLine(line, BREAKS)).toEqual({words, left, quote})
})

test('what is quoted for bash is the same text again, bare and in either quote', () => {
  const text = fc.string({
    unit: fc.constantFrom(...'aZ0 \'"\\$`!*?[]{}()<>|&;~#=:@,/é'),
    minLength: 1,
  })
  const values = fc.sample(text, {numRuns: 60, seed: 7})
  const words = values.flatMap((value) => [
    quoteForBash(value, {quote: ''}),
    `"${quoteForBash(value, {quote: '"'})}"`,
    `'${quoteForBash(value, {quote: "'"})}'`,
  ])
  const said = execFileSync('bash', ['-c', `printf '%s\\0' ${words.join(' ')}`], {encoding: 'utf8'})
  expect(said.split('\0').slice(0, -1)).toEqual(values.flatMap((value) => [value, value, value]))
})

test('what was typed whole is read back as it was, whatever it holds', () => {
  const text = fc.string({unit: fc.constantFrom(...'ab \'"\\$:=@'), minLength: 1})
  fc.assert(
    fc.property(text, (value) => {
      const {words} = readBashLine(`ollamax ${quoteForBash(value, {quote: ''})}`, BREAKS)
      expect(words).toEqual(['ollamax', value])
    }),
  )
})
