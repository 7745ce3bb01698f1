import fc from 'fast-check'
import {expect, test} from 'vitest'
import {checkClusterName, checkNodeName, labelProblem} from '../../../src/lib/cluster/names.ts'
import {OllamaxError} from '../../../src/lib/errors.ts'

test.each(['a', 'gpu-1', 'GPU_1.example.org', '10.0.0.7', 'x'.repeat(63)])(
  '%j may be a name',
  (name) => {
    expect(checkNodeName(name)).toBe(name)
    expect(checkClusterName(name)).toBe(name)
  },
)

test.each([
  '',
  ' ',
  'a b',
  '-rf',
  '.hidden',
  '../up',
  'a/b',
  '$(id)',
  '`id`',
  'a;b',
  'a\nb',
  'ä',
  'x'.repeat(64),
])('%j may be no name', (name) => {
  for (const check of [checkNodeName, checkClusterName])
    expect(() => check(name)).toThrow(
      expect.toSatisfy((error) => OllamaxError.is(error, 'BAD_INPUT')),
    )
})

test('a bad name is answered with one that may be used', () => {
  fc.assert(
    fc.property(fc.string(), (name) => {
      try {
        checkNodeName(name)
      } catch (error) {
        const [suggestion] = (error as OllamaxError).suggestions
        if (suggestion) checkNodeName(suggestion.replace('for example ', ''))
      }
    }),
  )
})

test('labels take what can be selected by, and nothing else', () => {
  expect(labelProblem('tier', 'fast')).toBeUndefined()
  expect(labelProblem('example.org/rack', '')).toBeUndefined()
  for (const key of ['', 'a b', '-x', 'a=b', 'x'.repeat(64)])
    expect(labelProblem(key, 'v')).toBeDefined()
  for (const value of ['a b', 'a,b', 'a=b', 'a\nb', 'x'.repeat(64)])
    expect(labelProblem('k', value)).toBeDefined()
})
