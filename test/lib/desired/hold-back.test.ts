import {expect, test} from 'vitest'
import {actionsOf, type ClusterAction} from '../../../src/lib/desired/cluster-plan.ts'
import {HoldBack} from '../../../src/lib/desired/hold-back.ts'

const why = ''
const pull: ClusterAction = {kind: 'pull', node: 'a', model: 'm', why}
const copy: ClusterAction = {kind: 'copy', node: 'b', model: 'm', from: ['a'], bytes: 1, why}
const warm = (node: string, model = 'm'): ClusterAction => ({kind: 'warm', node, model, why})
const waves = [
  {title: 'pull', actions: [pull]},
  {title: 'copy', actions: [copy]},
  {title: 'load', actions: [warm('a'), warm('b'), warm('a', 'n')]},
]

test('what failed waits half a minute, then twice as long each time, half an hour at most', () => {
  const holdBack = new HoldBack()
  const waits: number[] = []
  let nowMs = 0
  for (let times = 0; times < 9; times++) {
    holdBack.failed(pull, nowMs)
    const from = nowMs
    while (holdBack.allowed([{title: '', actions: [pull]}], nowMs).length === 0) nowMs += 1000
    waits.push((nowMs - from) / 1000)
  }
  expect(waits).toEqual([30, 60, 120, 240, 480, 960, 1800, 1800, 1800])
})

test('what needs a replica that is held back is held back with it, and nothing else', () => {
  const holdBack = new HoldBack()
  expect(holdBack.allowed(waves, 0)).toEqual(waves)
  holdBack.failed(pull, 0)
  expect(actionsOf({waves: holdBack.allowed(waves, 1)})).toEqual([warm('a', 'n')])
  expect(holdBack.allowed(waves, 30_000)).toEqual(waves)
})

test('what went well after it failed is not held back any more', () => {
  const holdBack = new HoldBack()
  holdBack.failed(copy, 0)
  expect(actionsOf({waves: holdBack.allowed(waves, 1)})).toEqual([pull, warm('a'), warm('a', 'n')])
  holdBack.done(copy)
  holdBack.failed(copy, 100_000)
  expect(holdBack.allowed(waves, 130_000)).toEqual(waves)
})
