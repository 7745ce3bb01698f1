import {expect, test} from 'vitest'
import {
  modelKey,
  parseModelName,
  sameModel,
  shortModelName,
} from '../../../src/lib/cluster/model-name.ts'
import {nearest} from '../../../src/lib/cluster/nearest.ts'

test.each([
  ['llama3.2', 'llama3.2:latest'],
  ['library/llama3.2', 'llama3.2'],
  ['registry.ollama.ai/library/llama3.2:latest', 'LLAMA3.2'],
  ['Qwen2.5:7B', 'qwen2.5:7b'],
  ['10.0.0.1:5000/library/slow', 'http://10.0.0.1:5000/library/slow:latest'],
  ['hf.co/bartowski/x-GGUF:Q4_K_M', 'hf.co/bartowski/x-gguf:q4_k_m'],
])('%s and %s are one model', (a, b) => expect(sameModel(a, b)).toBe(true))

test.each([
  ['qwen:7b', 'qwen:17b'],
  ['llama3', 'llama3.2'],
  ['llama3.2:1b', 'llama3.2'],
  ['me/llama3.2', 'llama3.2'],
  ['10.0.0.1:5000/library/slow', 'slow'],
])('%s and %s are two', (a, b) => expect(sameModel(a, b)).toBe(false))

test.each(['', ':7b', 'a b', 'a/b/c/d', 'x:', '-x', 'a:b:c', '../etc/passwd', 'x;rm'])(
  '%j is no name',
  (text) => expect(parseModelName(text)).toBeUndefined(),
)

test('names are shown as people write them', () => {
  expect(shortModelName('registry.ollama.ai/library/llama3.2')).toBe('llama3.2:latest')
  expect(shortModelName('me/x:1b')).toBe('me/x:1b')
  expect(shortModelName('hf.co/me/x')).toBe('hf.co/me/x:latest')
  expect(modelKey('not a name')).toBe('not a name')
})

test('a typo finds the word that was meant, and nothing else does', () => {
  const known = ['llama3.2:latest', 'qwen2.5:7b', 'smollm2:135m']
  expect(nearest('lama3.2:latest', known)).toBe('llama3.2:latest')
  expect(nearest('qwne2.5:7b', known)).toBe('qwen2.5:7b')
  expect(nearest('mistral', known)).toBeUndefined()
  expect(nearest('', known)).toBeUndefined()
})
