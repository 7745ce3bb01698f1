import fc from 'fast-check'
import {expect, test} from 'vitest'
import {parseModelfile} from '../../../src/lib/models/modelfile.ts'

test('every command is read, in any case, with comments and quotes', () => {
  const text = `# mine
from llama3.2:3b
PARAMETER temperature 0.7
parameter num_ctx 4096
PARAMETER stop "<|end|>"
PARAMETER stop User:
PARAMETER penalize_newline false
TEMPLATE """{{ .System }}
# no comment
{{ .Prompt }}"""
SYSTEM "You are brief."
MESSAGE user hi
MESSAGE assistant """hello
there"""
LICENSE MIT
ADAPTER ./a.gguf
`
  expect(parseModelfile(text)).toEqual({
    from: 'llama3.2:3b',
    parameters: {
      temperature: 0.7,
      num_ctx: 4096,
      stop: ['<|end|>', 'User:'],
      penalize_newline: false,
    },
    template: '{{ .System }}\n# no comment\n{{ .Prompt }}',
    system: 'You are brief.',
    messages: [
      {role: 'user', content: 'hi'},
      {role: 'assistant', content: 'hello\nthere'},
    ],
    license: ['MIT'],
    adapter: './a.gguf',
  })
})

test.each([
  ['', 'no FROM'],
  ['SYSTEM x', 'no FROM'],
  ['FROM a\nFOO b', 'line 2: "FOO"'],
  ['FROM a\nSYSTEM """x', 'line 2: its """ is not closed'],
  ['FROM a\nPARAMETER x', 'line 2: a parameter'],
  ['FROM a\nMESSAGE robot x', 'line 2: a message'],
])('%j is refused: %s', (text, why) => {
  expect(() => parseModelfile(text)).toThrow(why)
})

test('a system prompt in three quotes comes out as it went in', () => {
  const plain = fc.string().filter((text) => !text.includes('"') && !text.includes('\r'))
  fc.assert(
    fc.property(plain, (text) => {
      expect(parseModelfile(`FROM a\nSYSTEM """${text}"""`).system).toBe(text)
    }),
  )
})
