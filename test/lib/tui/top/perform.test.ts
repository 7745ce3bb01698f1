import {expect, test} from 'vitest'
import {OllamaxError} from '../../../../src/lib/errors.ts'
import {type PerformOptions, performer} from '../../../../src/lib/tui/top/perform.ts'
import type {Effect} from '../../../../src/lib/tui/top/state.ts'
import type {TopEvent} from '../../../../src/lib/tui/top/update.ts'
import {notedActions} from '../../../support/fake-fleet.ts'
import {waitFor} from '../../../support/wait-for.ts'

function performing(
  overrides: Parameters<typeof notedActions>[0] = {},
  more: Partial<PerformOptions> = {},
) {
  const {actions, asked} = notedActions(overrides)
  const events: TopEvent[] = []
  const hosted: string[] = []
  const ending = new AbortController()
  const perform = performer({
    actions: async () => actions,
    shell: async () => 0,
    dispatch: (event) => events.push(event),
    signal: ending.signal,
    host: (effect) => hosted.push(effect),
    ...more,
  })
  const told = () => events.flatMap((event) => (event.kind === 'told' ? event.told : []))
  return {perform, asked, events, hosted, told, end: () => ending.abort()}
}

test.each<[Effect, string, string]>([
  [{kind: 'drain', node: 'a'}, 'drain a', 'a is drained'],
  [{kind: 'undrain', node: 'a'}, 'undrain a', 'a is not drained any more'],
  [{kind: 'restart', node: 'a'}, 'restart a', 'a answers again (Ollama 0.33.0)'],
  [{kind: 'pull', node: 'a', model: 'm'}, 'pull m to a', 'm is on a'],
  [{kind: 'cancel', request: 'r'}, 'cancel r', 'the request is ended'],
])('%j is done and told', async (effect, asked, text) => {
  const it = performing()
  it.perform(effect)
  await waitFor('the end', () => it.events.at(-1)?.kind === 'doing' && it.told().length > 0)
  expect(it.asked).toEqual([asked])
  expect(it.told()).toEqual([{tone: 'good', text}])
  expect(it.events.at(-1)).not.toHaveProperty('text')
})

test('what was so already is told as that', async () => {
  const it = performing({drain: async () => ({changed: false})})
  it.perform({kind: 'drain', node: 'a'})
  await waitFor('the end', () => it.told()[0]?.text === 'a was drained already')
})

test('a failure is told with what to do next, and is no reason to fall over', async () => {
  const fail = async () => {
    throw new OllamaxError('SUDO_DENIED', 'sudo wants a password on a', {
      suggestions: ['ollamax node restart a', 'another'],
    })
  }
  const it = performing({restart: fail, followLogs: fail, decision: fail})
  const text = 'sudo wants a password on a; next: ollamax node restart a'
  it.perform({kind: 'restart', node: 'a'})
  await waitFor('the failure', () => it.told().length > 0)
  expect(it.told()).toEqual([{tone: 'bad', text}])
  it.perform({kind: 'follow', node: 'a'})
  it.perform({kind: 'decide', request: 'r'})
  await waitFor('both', () => it.events.at(-1)?.kind === 'decided')
  expect(it.events).toContainEqual({kind: 'log-ended', node: 'a', why: text})
  expect(it.events).toContainEqual({kind: 'decided', request: 'r', failed: text})
})

test('actions that cannot even be loaded are told likewise', async () => {
  const actions = () => Promise.reject(new Error('no such file'))
  const it = performing({}, {actions})
  it.perform({kind: 'drain', node: 'a'})
  await waitFor('the failure', () => it.told()[0]?.text === 'no such file')
})

test('one log is followed at a time, and none after the end', async () => {
  const it = performing()
  it.perform({kind: 'follow', node: 'a'})
  await waitFor('a', () => it.asked.includes('logs a'))
  it.perform({kind: 'follow', node: 'b'})
  await waitFor('b', () => it.asked.includes('no more logs a') && it.asked.includes('logs b'))
  it.end()
  await waitFor('the end', () => it.asked.includes('no more logs b'))
  expect(it.events.filter(({kind}) => kind === 'log-ended')).toEqual([])
})

test('a shell that fails says how to see why', async () => {
  const it = performing({}, {shell: async () => 6})
  it.perform({kind: 'shell', node: 'a'})
  await waitFor('the end', () => it.told().length > 0)
  expect(it.told()[0]?.text).toBe(
    'the shell on a ended with exit code 6; to see why: ollamax node shell a',
  )
})

test('what concerns the terminal itself is passed on', () => {
  const it = performing()
  for (const kind of ['quit', 'pause', 'redraw'] as const) it.perform({kind})
  expect(it.hosted).toEqual(['quit', 'pause', 'redraw'])
})
