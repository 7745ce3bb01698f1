import fc from 'fast-check'
import {expect, test} from 'vitest'
import {
  describeBytes,
  etaMs,
  NO_PROGRESS,
  type Progress,
  rateOf,
  reduceProgress,
} from '../../../src/lib/cluster/progress.ts'
import type {Report} from '../../../src/lib/cluster/report.ts'

const MIB = 1024 ** 2

function after(events: ReadonlyArray<readonly [number, Report]>): Progress {
  return events.reduce((state, [at, event]) => reduceProgress(state, event, at), NO_PROGRESS)
}

test('subjects keep the order in which they were first heard of, each with its own step', () => {
  const {lines} = after([
    [0, {kind: 'start', subject: 'b', step: 'connect'}],
    [1, {kind: 'start', subject: 'a', step: 'connect'}],
    [2, {kind: 'done', subject: 'b', step: 'connect', ms: 2}],
    [3, {kind: 'start', subject: 'b', step: 'look'}],
  ])
  expect(lines.map((line) => [line.subject, line.step?.name])).toEqual([
    ['b', 'look'],
    ['a', 'connect'],
  ])
})

test('an ended subject has no step, and says how long it took as a whole', () => {
  const {lines} = after([
    [1000, {kind: 'start', subject: 'a', step: 'connect'}],
    [5000, {kind: 'end', subject: 'a', ok: false, text: 'denied'}],
  ])
  expect(lines).toEqual([
    {subject: 'a', beganMs: 1000, end: {ok: false, text: 'denied', tookMs: 4000}},
  ])
})

test('remarks are kept in order and never lost', () => {
  const {remarks} = after([
    [0, {kind: 'note', subject: 'a', text: 'one'}],
    [0, {kind: 'warn', subject: 'b', text: 'two'}],
    [0, {kind: 'end', subject: 'a', ok: true, text: ''}],
  ])
  expect(remarks.map((r) => [r.id, r.kind, r.subject, r.text])).toEqual([
    [0, 'note', 'a', 'one'],
    [1, 'warn', 'b', 'two'],
  ])
})

test('bytes of a new step do not count toward the rate of the old one', () => {
  const {lines} = after([
    [0, {kind: 'bytes', subject: 'a', step: 'carry', done: 90 * MIB}],
    [1000, {kind: 'bytes', subject: 'a', step: 'unpack', done: 0}],
  ])
  expect(lines[0]?.bytes?.samples).toEqual([{atMs: 1000, done: 0}])
  expect(lines[0]?.step).toEqual({name: 'unpack', sinceMs: 1000})
})

test('the rate is that of the last seconds, not of the whole', () => {
  const events: Array<[number, Report]> = []
  for (let s = 0; s <= 60; s++)
    events.push([
      s * 1000,
      {kind: 'bytes', subject: 'a', step: 'x', done: s <= 30 ? 0 : (s - 30) * MIB},
    ])
  const samples = after(events).lines[0]?.bytes?.samples ?? []
  expect(rateOf(samples, 60_000)).toBe(MIB)
})

test('a stalled transfer slows down by itself', () => {
  const samples = [
    {atMs: 0, done: 0},
    {atMs: 1000, done: MIB},
  ]
  expect(rateOf(samples, 1000)).toBe(MIB)
  expect(rateOf(samples, 4000)).toBe(MIB / 4)
})

test('no rate and no end is promised from one sample', () => {
  expect(rateOf([{atMs: 0, done: 5}], 1000)).toBeUndefined()
  expect(etaMs(5, 10, undefined)).toBeUndefined()
  expect(etaMs(5, 10, 0)).toBeUndefined()
  expect(etaMs(5, undefined, 5)).toBeUndefined()
  expect(etaMs(5, 10, 5)).toBe(1000)
})

test('the number of samples kept is bounded, and the rate stays right', () => {
  const events: Array<[number, Report]> = []
  for (let ms = 0; ms <= 20_000; ms += 5)
    events.push([ms, {kind: 'bytes', subject: 'a', step: 'x', done: ms * 1000}])
  const samples = after(events).lines[0]?.bytes?.samples ?? []
  expect(samples.length).toBeLessThanOrEqual(64)
  expect(rateOf(samples, 20_000)).toBeCloseTo(1_000_000, -1)
})

test('bytes, share, rate and time left in words; what is unknown is left out', () => {
  const samples = [
    {atMs: 0, done: 0},
    {atMs: 2000, done: 10 * MIB},
  ]
  expect(describeBytes({done: 10 * MIB, total: 93 * MIB, samples}, 2000)).toBe(
    '10MiB of 93MiB (10%), 5.0MiB/s, 17s left',
  )
  expect(describeBytes({done: 10 * MIB, samples}, 2000)).toBe('10MiB, 5.0MiB/s')
  expect(describeBytes({done: 10 * MIB, total: 93 * MIB, samples: []}, 0)).toBe(
    '10MiB of 93MiB (10%)',
  )
})

test('100% is said only when all is there', () => {
  fc.assert(
    fc.property(fc.integer({min: 1, max: 2 ** 40}), fc.nat(2 ** 40), (total, some) => {
      const done = Math.min(total, some)
      const text = describeBytes({done, total, samples: []}, 0)
      expect(text.includes('(100%)')).toBe(done === total)
    }),
  )
})

test('what is counted is told in its own unit, with a rate over a longer time', () => {
  const report = (done: number) =>
    ({
      kind: 'bytes',
      subject: 'a',
      step: 's',
      done,
      total: 40,
      unit: 'lines',
      also: '1 failed',
    }) as const
  const {lines} = after([
    [0, report(0)],
    [20_000, report(10)],
    [40_000, report(20)],
  ])
  expect(describeBytes(lines[0]?.bytes ?? {done: 0, samples: []}, 40_000)).toBe(
    '20 of 40 lines (50%), 1 failed, 0.5 lines/s, 40s left',
  )
})
