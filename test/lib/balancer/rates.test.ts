import fc from 'fast-check'
import {expect, test} from 'vitest'
import {learn, learnFailure, queueMs, wasCold} from '../../../src/lib/balancer/rates.ts'

const sample = {
  totalMs: 5000,
  loadMs: 1000,
  promptTokens: 100,
  promptMs: 500,
  answerTokens: 60,
  answerMs: 3000,
}

test('the first answer sets the rates, later ones move them', () => {
  const first = learn(undefined, sample, 1)
  expect(first).toEqual({
    promptTps: 200,
    answerTps: 20,
    answerTokens: 60,
    loadMs: 1000,
    serviceMs: 3500,
    atMs: 1,
  })
  const second = learn(first, {...sample, answerMs: 1500}, 2)
  expect(second.answerTps).toBeCloseTo(26)
  expect(second.atMs).toBe(2)
})

test('the time in the queue is what the durations leave', () => {
  expect(queueMs(sample)).toBe(500)
  expect(queueMs({...sample, totalMs: 4000})).toBe(0)
  expect(queueMs({answerMs: 1})).toBeUndefined()
})

test('only a load of a quarter of a second or more was one', () => {
  expect(wasCold({loadMs: 249})).toBe(false)
  expect(wasCold({loadMs: 250})).toBe(true)
  expect(learn(undefined, {...sample, loadMs: 2}, 1).loadMs).toBeUndefined()
})

test('a prompt that was in the prefix cache does not make the node look faster', () => {
  const known = learn(undefined, sample, 1)
  expect(learn(known, {...sample, promptMs: 1}, 2).promptTps).toBe(200)
  expect(learn(known, {...sample, promptTokens: 3, promptMs: 1}, 2).promptTps).toBe(200)
})

test('a failure is remembered until the next success', () => {
  const failed = learnFailure(learn(undefined, sample, 1), 9)
  expect(failed).toMatchObject({answerTps: 20, failedAtMs: 9, atMs: 9})
  expect(learn(failed, sample, 10)).not.toHaveProperty('failedAtMs')
})

test('rates stay finite and positive, whatever a node tells', () => {
  const number = fc.option(fc.nat(1e9), {nil: undefined})
  const any = fc.record({
    totalMs: number,
    loadMs: number,
    promptTokens: number,
    promptMs: number,
    answerTokens: number,
    answerMs: number,
  })
  fc.assert(
    fc.property(fc.array(any, {maxLength: 20}), (samples) => {
      const told = samples.map((one) =>
        Object.fromEntries(Object.entries(one).filter(([, value]) => value !== undefined)),
      )
      const rate = told.reduce((known, one, at) => learn(known, one, at), learn(undefined, {}, 0))
      for (const value of Object.values(rate)) {
        expect(Number.isFinite(value)).toBe(true)
        expect(value).toBeGreaterThanOrEqual(0)
      }
    }),
  )
})
