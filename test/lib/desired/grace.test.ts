import {expect, test} from 'vitest'
import {type FleetMemory, withGrace} from '../../../src/lib/desired/grace.ts'
import {gib, state, tag} from '../../support/fleet-state.ts'

const there = state('a', {models: [tag('m', 1)], freeBytes: gib(7)})
const away = state('a', {models: 'unknown', silent: {reason: 'no route', counts: false}})
const EMPTY: FleetMemory = new Map()
const at = (memory: FleetMemory, now: typeof there, nowMs: number) => {
  const {states, memory: after} = withGrace(memory, [now], {nowMs, graceMs: 1000})
  return {node: states[0] ?? expect.fail(), memory: after}
}

test('a node that answers is as it was read', () => {
  expect(at(EMPTY, there, 0).node).toBe(there)
})

test('what a silent node had counts until the grace time after its last answer is over', () => {
  const seen = at(at(EMPTY, there, 0).memory, there, 500)
  const silent = at(seen.memory, away, 1499)
  expect(silent.node).toMatchObject({
    models: there.models,
    silent: {reason: 'no route', counts: true},
  })
  const lost = at(silent.memory, away, 1500)
  expect(lost.node.silent).toEqual({reason: 'no route', counts: false})
  // Back again, it has the whole time once more.
  const back = at(lost.memory, there, 2000)
  expect(back.node).toBe(there)
  expect(at(back.memory, away, 2999).node.silent?.counts).toBe(true)
})

test('of a node that never answered nobody knows what it has, and it is waited for just as long', () => {
  const first = at(EMPTY, away, 100)
  expect(first.node).toMatchObject({models: 'unknown', silent: {counts: true}})
  expect(at(first.memory, away, 1100).node.silent?.counts).toBe(false)
})

test('a host whose Ollama alone is silent is left alone for the grace time, then looked after', () => {
  const stopped = state('a', {models: 'unknown', freeBytes: gib(7)})
  const seen = at(EMPTY, there, 0)
  const waiting = at(seen.memory, stopped, 999)
  expect(waiting.node).toMatchObject({
    models: there.models,
    silent: {reason: 'its Ollama does not answer', counts: true},
  })
  expect(at(waiting.memory, stopped, 1000).node).toBe(stopped)
})

test('a node that left the cluster is forgotten', () => {
  const {memory} = at(EMPTY, there, 0)
  expect(withGrace(memory, [], {nowMs: 1, graceMs: 1000}).memory.size).toBe(0)
})
