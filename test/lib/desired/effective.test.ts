import {expect, test} from 'vitest'
import {effectiveOllama, hiddenVersion, ownOllama} from '../../../src/lib/desired/effective.ts'

const groups = [
  {labels: {}, ollama: {version: '0.32.0', env: {A: 'all', B: 'all'}}},
  {labels: {tier: 'fast'}, ollama: {version: '0.33.0', env: {B: 'fast', C: 'fast'}}},
  {labels: {tier: 'fast', rack: 'r1'}, ollama: {env: {D: 'both'}}},
]

test('later groups go before earlier ones, and what the node says before all, each variable by itself', () => {
  const node = {labels: {tier: 'fast'}, ollama: {port: 11500, env: {C: 'own'}}}
  expect(effectiveOllama({groups}, node)).toEqual({
    version: '0.33.0',
    port: 11500,
    env: {A: 'all', B: 'fast', C: 'own'},
  })
  expect(effectiveOllama({groups}, {...node, ollama: {version: '0.31.0'}}).version).toBe('0.31.0')
})

test('a group holds only for nodes that have all of its labels', () => {
  const of = (labels: Record<string, string>) => effectiveOllama({groups}, {labels, ollama: {}})
  expect(of({rack: 'r1'})).toEqual({version: '0.32.0', env: {A: 'all', B: 'all'}})
  expect(of({tier: 'fast', rack: 'r1'}).env).toMatchObject({D: 'both'})
})

test('nothing is wanted where nobody says anything', () => {
  expect(effectiveOllama({}, {labels: {}, ollama: {}})).toEqual({})
})

test('what groups give a node anyway does not become its own, unless it was said of it', () => {
  const node = {
    labels: {tier: 'fast'},
    ollama: {version: '0.33.0', port: 11500, env: {A: 'all', B: 'own', D: 'own'}},
  }
  expect(ownOllama({groups}, node, {})).toEqual({port: 11500, env: {B: 'own', D: 'own'}})
  expect(ownOllama({groups}, node, {version: '0.33.0', env: {A: 'all'}})).toEqual(node.ollama)
  expect(ownOllama({}, node, {})).toEqual(node.ollama)
})

test('an own version that hides the one of a group is told', () => {
  const node = (version?: string) => ({
    ...{name: 'a', labels: {tier: 'fast'}},
    ollama: version === undefined ? {} : {version},
  })
  expect(hiddenVersion({groups}, node('0.32.0'))).toBe(
    'a: its own version 0.32.0 goes before 0.33.0 of its group',
  )
  expect(hiddenVersion({groups}, node('0.33.0'))).toBeUndefined()
  expect(hiddenVersion({groups}, node())).toBeUndefined()
})
