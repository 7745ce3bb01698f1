import fc from 'fast-check'
import {expect, test} from 'vitest'
import {parseModelName} from '../../../src/lib/cluster/model-name.ts'
import {fitsModelPattern, parseModelPattern} from '../../../src/lib/cluster/model-pattern.ts'

function fits(pattern: string, name: string): boolean {
  const parsed = parseModelPattern(pattern)
  if (!parsed) throw new Error(`${pattern} is no pattern`)
  return fitsModelPattern(parsed, name)
}

test.each([
  ['llama3.2', 'llama3.2:latest'],
  ['Llama3.2', 'registry.ollama.ai/library/LLAMA3.2'],
  ['qwen3:*', 'qwen3:8b'],
  ['qwen*', 'qwen3:8b'],
  ['qwen*', 'qwen2.5-coder'],
  ['qwen?', 'qwen3'],
  ['qwen*:8b', 'qwen3:8B'],
  ['*', 'anything:7b'],
  ['*:latest', 'anything'],
  ['me/*', 'me/x:1b'],
  ['*/*', 'me/x:1b'],
  ['*/*', 'x'],
  ['*/*/*', 'hf.co/me/x:q4'],
  ['hf.co/*/*', 'HF.co/me/x'],
  ['10.0.0.1:5000/library/*', 'http://10.0.0.1:5000/library/slow'],
])('%s means %s', (pattern, name) => expect(fits(pattern, name)).toBe(true))

test.each([
  ['llama3.2', 'llama3.2:1b'],
  ['llama3.2', 'llama3x2'],
  ['qwen3', 'qwen3:8b'],
  ['qwen?', 'qwen2.5'],
  ['*', 'me/x'],
  ['*/*', 'hf.co/me/x'],
  // Else whoever names a host so would be let in.
  ['llama*', 'llama.example/library/x'],
  ['me/*', 'me/x/y'],
  ['*', 'a b'],
  ['*', ''],
  ['*', '*'],
  ['*', 'x:'],
])('%s does not mean %s', (pattern, name) => expect(fits(pattern, name)).toBe(false))

test.each(['', ' ', 'a b', 'a/b/c/d', '-x', '../x', 'x:', '[ab]', `${'*'.repeat(401)}`])(
  '%j is no pattern',
  (text) => expect(parseModelPattern(text)).toBeUndefined(),
)

test('a name is a pattern that means itself, and many stars cost no time', () => {
  const part = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/)
  const name = fc
    .tuple(fc.array(part, {maxLength: 2}), part, fc.option(part))
    .map(([path, model, tag]) => [...path, tag === null ? model : `${model}:${tag}`].join('/'))
    .filter((text) => parseModelName(text) !== undefined)
  fc.assert(
    fc.property(name, (text) => {
      expect(fits(text, text)).toBe(true)
      expect(fits(text, text.toUpperCase().replace(/^HTTPS?:/, 'x:'))).toBe(true)
    }),
  )
  expect(fits(`${'*a'.repeat(35)}b`, 'a'.repeat(80))).toBe(false)
})
