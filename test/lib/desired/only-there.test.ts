import fc from 'fast-check'
import {expect, test} from 'vitest'
import {modelKey} from '../../../src/lib/cluster/model-name.ts'
import {type Holding, onlyThere, onlyThereText} from '../../../src/lib/desired/only-there.ts'

const of = (names: readonly string[]) => names.map((name) => ({name, digest: `sha-${name}`}))
const node = (
  name: string,
  models: readonly string[],
  loaded: readonly string[] = [],
): Holding => ({
  ...{name, models: of(models), loaded: of(loaded), serves: true},
})
const keys = (...names: string[]) => new Set(names.map(modelKey))

test('a model in memory or in the cluster file that no other node serves is named, once', () => {
  const fleet = [node('a', ['x', 'y', 'z'], ['y']), node('b', ['x'], ['x'])]
  expect(onlyThere(['a'], fleet, keys())).toEqual(['y'])
  expect(onlyThere(['a'], fleet, keys('z'))).toEqual(['y', 'z'])
  expect(onlyThere(['b'], fleet, keys('x'))).toEqual([])
  expect(onlyThere(['a', 'b'], fleet, keys('x'))).toEqual(['x', 'y'])
})

test('a node that is drained, or whose models are not known, is not counted on', () => {
  const fleet = [
    node('a', ['x'], ['x']),
    {...node('b', ['x']), serves: false},
    {...node('c', []), models: 'unknown' as const},
  ]
  expect(onlyThere(['a'], fleet, keys())).toEqual(['x'])
  // What is drained already answers for nothing that could be lost.
  expect(onlyThere(['b'], fleet, keys('x'))).toEqual([])
})

test('nothing is named that another node serves, and everything in use that none does', () => {
  const models = fc.subarray(['x', 'y', 'z'])
  const nodes = fc.array(fc.record({models, serves: fc.boolean(), leaves: fc.boolean()}), {
    maxLength: 5,
  })
  fc.assert(
    fc.property(nodes, (all) => {
      const fleet = all.map((one, at) => ({...node(`n${at}`, one.models), serves: one.serves}))
      const leaving = all.flatMap(({leaves}, at) => (leaves ? [`n${at}`] : []))
      const named = onlyThere(leaving, fleet, keys('x', 'y', 'z'))
      for (const model of ['x', 'y', 'z']) {
        const have = (leaves: boolean) =>
          all.some((one) => one.serves && one.leaves === leaves && one.models.includes(model))
        expect(named.includes(model)).toBe(have(true) && !have(false))
      }
    }),
  )
})

test('the warning is a sentence of its own for one node and for several', () => {
  expect(onlyThereText(['a'], [])).toBeUndefined()
  expect(onlyThereText(['a'], ['x'])).toBe(
    'nobody answers for x while it is changed: no other node that serves has it',
  )
  expect(onlyThereText(['a', 'b'], ['x', 'y'])).toBe(
    'nobody answers for x, y while a, b are changed: no other node that serves has them',
  )
})
