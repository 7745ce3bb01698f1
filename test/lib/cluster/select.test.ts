import fc from 'fast-check'
import {expect, test} from 'vitest'
import type {NodeSpec} from '../../../src/lib/cluster/node.ts'
import {editLabels, oneNode, parseLabelEdit, selectNodes} from '../../../src/lib/cluster/select.ts'
import {OllamaxError} from '../../../src/lib/errors.ts'

const node = (name: string, labels: Record<string, string> = {}): NodeSpec => ({
  kind: 'ssh',
  name,
  ssh: name,
  labels,
  drained: false,
  ollama: {},
})
const NODES = [
  node('gpu-1', {tier: 'fast', rack: 'r1'}),
  node('gpu-2', {tier: 'slow'}),
  node('mac.mini', {tier: 'slow', 'example.org/os': 'darwin'}),
]

const pick = (names: string[], labels: string[] = []) =>
  selectNodes(NODES, {names, labels}).map(({name}) => name)

function failure(act: () => unknown): OllamaxError {
  try {
    act()
  } catch (error) {
    if (OllamaxError.is(error)) return error
    throw error
  }
  throw new Error('it did not fail')
}

test.each([
  [[], [], ['gpu-1', 'gpu-2', 'mac.mini']],
  [['gpu-2', 'gpu-1'], [], ['gpu-1', 'gpu-2']],
  [['gpu-*'], [], ['gpu-1', 'gpu-2']],
  [['*'], [], ['gpu-1', 'gpu-2', 'mac.mini']],
  [['gpu-?', 'mac*'], [], ['gpu-1', 'gpu-2', 'mac.mini']],
  [[], ['tier=slow'], ['gpu-2', 'mac.mini']],
  [[], ['tier!=slow'], ['gpu-1']],
  [[], ['rack!=r1'], ['gpu-2', 'mac.mini']],
  [[], ['rack'], ['gpu-1']],
  [[], ['!rack'], ['gpu-2', 'mac.mini']],
  [[], ['tier=slow', 'example.org/os=darwin'], ['mac.mini']],
  [['gpu-*'], ['tier=slow'], ['gpu-2']],
  [[], ['tier==slow'], ['gpu-2', 'mac.mini']],
])('names %j with labels %j choose %j, sorted by name', (names, labels, chosen) => {
  expect(pick(names, labels)).toEqual(chosen)
})

test('names are sorted with the numbers in them as numbers, however the file has them', () => {
  const nodes = ['h10', 'h2', 'b', 'h1'].map((name) => node(name))
  const sorted = selectNodes(nodes, {names: [], labels: []}).map(({name}) => name)
  expect(sorted).toEqual(['b', 'h1', 'h2', 'h10'])
})

test('a name that is not there is named with the nearest one', () => {
  const error = failure(() => pick(['gpu-1', 'gup-2']))
  expect(error.code).toBe('NODE_NOT_FOUND')
  expect(error.suggestions).toEqual(['did you mean "gpu-2"?'])
})

test('a point in a glob is a point', () => {
  expect(failure(() => pick(['macX*'])).code).toBe('NODE_NOT_FOUND')
  expect(failure(() => selectNodes([node('macXmini')], {names: ['mac.m*'], labels: []})).code).toBe(
    'NODE_NOT_FOUND',
  )
})

test('a glob or labels that choose nothing are an error, an empty cluster is none', () => {
  expect(failure(() => pick(['x*'])).code).toBe('NODE_NOT_FOUND')
  expect(failure(() => pick([], ['tier=none'])).code).toBe('NODE_NOT_FOUND')
  expect(selectNodes([], {names: [], labels: []})).toEqual([])
  expect(failure(() => oneNode([], 'a')).suggestions[0]).toContain('node add')
})

test.each(['', '=', '=v', '!', '!=v', '!a=b', 'a b=c', 'a=b c'])(
  'the label selector %j is refused',
  (label) => {
    expect(failure(() => pick([], [label])).code).toBe('BAD_INPUT')
  },
)

test('a glob of many stars is no trap', () => {
  const long = [node(`${'a'.repeat(60)}b`)]
  const glob = `${'*a'.repeat(30)}*c`
  expect(failure(() => selectNodes(long, {names: [glob], labels: []})).code).toBe('NODE_NOT_FOUND')
})

test('k=v and !=v of one key part the nodes in two', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('x', 'y', undefined), {minLength: 1}), (values) => {
      const nodes = values.map((v, i) => node(`n${i}`, v === undefined ? {} : {k: v}))
      const count = (label: string) => {
        try {
          return selectNodes(nodes, {names: [], labels: [label]}).length
        } catch {
          return 0
        }
      }
      expect(count('k=x') + count('k!=x')).toBe(nodes.length)
      expect(count('k') + count('!k')).toBe(nodes.length)
    }),
  )
})

test('labels are set and removed in order; the value may hold any sign that a label may', () => {
  const edits = ['a=1', 'b-', 'c=x=y', 'a=2'].map((text) => {
    if (text === 'c=x=y') return parseLabelEdit('c=x:y')
    return parseLabelEdit(text)
  })
  expect(editLabels({b: '1', d: '4'}, edits)).toEqual({a: '2', c: 'x:y', d: '4'})
})

test.each(['a', '=b', '-', 'a b-', 'a=b c', 'a=ü'])('the label change %j is refused', (text) => {
  expect(failure(() => parseLabelEdit(text)).code).toBe('BAD_INPUT')
})
