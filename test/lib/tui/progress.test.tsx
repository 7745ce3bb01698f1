import {render} from 'ink-testing-library'
import {afterEach, expect, test} from 'vitest'
import {NO_PROGRESS, type Progress, reduceProgress} from '../../../src/lib/cluster/progress.ts'
import type {Report} from '../../../src/lib/cluster/report.ts'
import {ProgressView} from '../../../src/lib/tui/progress.tsx'

let unmount = () => {}
afterEach(() => unmount())

/** The frame after these events, on a terminal of 100 columns. */
function frame(events: ReadonlyArray<readonly [number, Report]>, options: {rows?: number} = {}) {
  let progress: Progress = NO_PROGRESS
  let nowMs = 0
  for (const [at, event] of events) {
    nowMs = at
    progress = reduceProgress(progress, event, at)
  }
  const store = {subscribe: () => () => {}, snapshot: () => progress}
  const view = render(
    <ProgressView store={store} now={() => nowMs} color={false} rows={() => options.rows ?? 24} />,
  )
  unmount = view.unmount
  return view.lastFrame() ?? ''
}

test('subjects stand side by side, one line each', () => {
  expect(
    frame([
      [0, {kind: 'start', subject: 'gpu-1', step: 'connect'}],
      [0, {kind: 'start', subject: 'gpu-22', step: 'connect'}],
      [0, {kind: 'bytes', subject: 'gpu-22', step: 'carry archive', done: 0, total: 2048}],
      [1000, {kind: 'bytes', subject: 'gpu-22', step: 'carry archive', done: 1024, total: 2048}],
      [1200, {kind: 'end', subject: 'gpu-1', ok: true, text: 'ready'}],
      [1200, {kind: 'end', subject: 'gpu-3', ok: false, text: 'refused'}],
    ]),
  ).toBe(
    [
      '✔ gpu-1   ready (1.2s)',
      '⠋ gpu-22  carry archive  1.0KiB of 2.0KiB (50%), 853B/s, 1s left',
      '✖ gpu-3   refused (0ms)',
    ].join('\n'),
  )
})

test('wide characters keep the columns aligned', () => {
  const text = frame([
    [0, {kind: 'start', subject: '日本', step: 'one'}],
    [0, {kind: 'start', subject: 'abcd', step: 'two'}],
  ])
  expect(text).toBe('⠋ 日本  one\n⠋ abcd  two')
})

test('a line is cut at the edge of the terminal, never wrapped', () => {
  const text = frame([[0, {kind: 'start', subject: 'gpu-1', step: 'x'.repeat(300)}]])
  expect(text.split('\n')).toHaveLength(1)
  expect(text.length).toBeLessThanOrEqual(100)
})

test('a long subject leaves room for its step', () => {
  const text = frame([[0, {kind: 'start', subject: 'n'.repeat(80), step: 'connect'}]])
  expect(text).toContain('connect')
})

test('remarks stand above the lines and keep their order', () => {
  const text = frame([
    [0, {kind: 'start', subject: 'a', step: 'look'}],
    [0, {kind: 'warn', subject: 'a', text: 'the clock is off'}],
    [0, {kind: 'note', subject: 'a', text: 'no GPU'}],
  ])
  expect(text.split('\n').map((line) => line.trim())).toEqual([
    '! a: the clock is off',
    'a: no GPU',
    '⠋ a  look',
  ])
})

test('more subjects than rows: what runs and what failed is shown, the rest is counted', () => {
  const events: Array<[number, Report]> = []
  for (let i = 0; i < 30; i++) {
    events.push([0, {kind: 'start', subject: `n${i}`, step: 'look'}])
    if (i < 28) events.push([0, {kind: 'end', subject: `n${i}`, ok: i !== 7, text: 'over'}])
  }
  const lines = frame(events, {rows: 10}).split('\n')
  expect(lines.length).toBeLessThanOrEqual(8)
  for (const name of ['n7', 'n28', 'n29']) expect(lines.join('\n')).toContain(`${name} `)
  expect(lines.at(-1)).toBe('28 of 30 finished, 1 failed')
})

test('what a node says cannot move the cursor', () => {
  const text = frame([[0, {kind: 'end', subject: 'a', ok: false, text: 'x\u001b[2J\ny'}]])
  expect(text).not.toContain('\u001b[2J')
  expect(text.split('\n')).toHaveLength(1)
})
