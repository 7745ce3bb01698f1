import {Writable} from 'node:stream'
import {expect, test} from 'vitest'
import {makeReporter} from '../../../src/lib/cli/progress.ts'
import type {Report} from '../../../src/lib/cluster/report.ts'

/** A stream that keeps what is written, with the properties of a terminal or of a pipe. */
function capture(isTTY: boolean) {
  const chunks: string[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk))
      done()
    },
  })
  Object.assign(stream, {isTTY, columns: 60, rows: 20})
  return {stream: stream as unknown as NodeJS.WriteStream, text: () => chunks.join('')}
}

const EVENTS: readonly Report[] = [
  {kind: 'start', subject: 'gpu-1', step: 'unpack archive'},
  {kind: 'bytes', subject: 'gpu-1', step: 'unpack archive', done: 5, total: 10},
  {kind: 'done', subject: 'gpu-1', step: 'unpack archive', ms: 1200},
  {kind: 'note', subject: 'gpu-1', text: 'no GPU'},
  {kind: 'warn', subject: 'gpu-1', text: 'clock is off'},
  {kind: 'end', subject: 'gpu-1', ok: true, text: 'ready'},
  {kind: 'end', subject: 'gpu-2', ok: false, text: 'no route\nto host'},
]

test('without a terminal each finished step is one line, and nothing moves the cursor', async () => {
  const {stream, text} = capture(false)
  const live = makeReporter({stream, json: false, plain: false, env: {}})
  for (const event of EVENTS) live.report(event)
  await live.stop()
  expect(text()).toBe(
    [
      'gpu-1: unpack archive ... done (1.2s)',
      'gpu-1: no GPU',
      'gpu-1: warning: clock is off',
      'gpu-1: ok: ready',
      'gpu-2: failed: no route to host',
      '',
    ].join('\n'),
  )
})

test('json: every event, one object per line, with its time', async () => {
  const {stream, text} = capture(true)
  const live = makeReporter({stream, json: true, plain: false, env: {}, now: () => 0})
  for (const event of EVENTS) live.report(event)
  await live.stop()
  const lines = text().trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toEqual(
    EVENTS.map((event) => ({at: '1970-01-01T00:00:00.000Z', ...event})),
  )
})

test('json: bytes of a step are told at most ten times a second, and the last of them always', async () => {
  const {stream, text} = capture(false)
  let nowMs = 0
  const live = makeReporter({stream, json: true, plain: false, env: {}, now: () => nowMs})
  const bytes = {kind: 'bytes', step: 'download', total: 1000} as const
  for (let done = 0; done <= 1000; done++) {
    nowMs = done
    live.report({...bytes, subject: 'a', done})
    live.report({...bytes, subject: 'b', done})
  }
  await live.stop()
  const lines = text().trimEnd().split('\n')
  const told = lines.map((line) => JSON.parse(line)).filter(({subject}) => subject === 'a')
  expect(told.map(({done}) => done)).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000])
})

test.each([
  ['plain', {plain: true, env: {}}],
  ['a dumb terminal', {plain: false, env: {TERM: 'dumb'}}],
])('%s: plain lines also on a terminal', async (_, options) => {
  const {stream, text} = capture(true)
  const live = makeReporter({stream, json: false, ...options})
  for (const event of EVENTS) live.report(event)
  await live.stop()
  expect(text().split('\n')).toHaveLength(6)
  expect(text()).not.toContain('\u001b')
})

test('on a terminal the last frame stays, and the cursor is shown again', async () => {
  const {stream, text} = capture(true)
  const live = makeReporter({stream, json: false, plain: false, env: {NO_COLOR: '1'}})
  for (const event of EVENTS) live.report(event)
  await live.stop()
  await live.stop()
  expect(text()).toMatch(/✔ gpu-1 {2}ready/)
  expect(text()).toMatch(/✖ gpu-2 {2}no route to host/)
  expect(text()).toContain('! gpu-1: clock is off')
  expect(text().lastIndexOf('\u001b[?25h')).toBeGreaterThan(text().lastIndexOf('\u001b[?25l'))
  expect(text().endsWith('\n') || text().endsWith('\u001b[?25h')).toBe(true)
})

test('what was given up leaves no spinner behind, what ended stays', async () => {
  const {stream, text} = capture(true)
  const live = makeReporter({stream, json: false, plain: false, env: {NO_COLOR: '1'}})
  live.report({kind: 'start', subject: 'gpu-1', step: 'connect'})
  live.report({kind: 'end', subject: 'gpu-2', ok: true, text: 'ready'})
  await live.stop()
  const last = text().slice(text().lastIndexOf('✔'))
  expect(last).toContain('gpu-2')
  expect(last).not.toContain('gpu-1')
})

test('a reporter that nothing was reported to writes nothing', async () => {
  const {stream, text} = capture(true)
  await makeReporter({stream, json: false, plain: false, env: {}}).stop()
  expect(text()).toBe('')
})

test('a question has the terminal to itself, and no remark is written twice', async () => {
  const {stream, text} = capture(true)
  const live = makeReporter({stream, json: false, plain: false, env: {NO_COLOR: '1'}})
  live.report({kind: 'start', subject: 'gpu-1', step: 'connect'})
  live.report({kind: 'warn', subject: 'gpu-1', text: 'first remark'})
  const answer = await live.suspend(async () => {
    const before = text()
    live.report({kind: 'warn', subject: 'gpu-1', text: 'second remark'})
    stream.write('question?')
    await new Promise((resolve) => setImmediate(resolve))
    expect(text()).toBe(`${before}question?`)
    return 42
  })
  expect(answer).toBe(42)
  live.report({kind: 'end', subject: 'gpu-1', ok: true, text: 'ready'})
  await live.stop()
  const [asked, after] = text().split('question?')
  expect(asked?.match(/first remark/g)).toHaveLength(1)
  expect(after?.match(/first remark/g)).toBeNull()
  expect(after?.match(/second remark/g)).toHaveLength(1)
  expect(after).toContain('gpu-1  ready')
})
