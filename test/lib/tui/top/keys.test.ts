import {expect, test} from 'vitest'
import type {LiveRequest} from '../../../../src/lib/cluster/live.ts'
import {COMMANDS} from '../../../../src/lib/tui/top/command-line.ts'
import {KEYMAP} from '../../../../src/lib/tui/top/keymap.ts'
import {columnsOf} from '../../../../src/lib/tui/top/listing.ts'
import {placeIn, VIEWS} from '../../../../src/lib/tui/top/state.ts'
import {textOf} from '../../../../src/lib/tui/top/text-of.ts'
import {liveNode, liveRequest, unreadNode, wholeFrame} from '../../../support/fake-fleet.ts'
import {THREE, topState} from '../../../support/top-state.ts'

const fifty = wholeFrame(Array.from({length: 50}, (_, at) => liveNode(`gpu-${at + 1}`)))
const selected = (top: ReturnType<typeof topState>) => top.state().lists.nodes.selected

test('no key means two things in one place', () => {
  for (const view of VIEWS) {
    const here = KEYMAP.filter(({where}) => where === undefined || where.includes(view))
    const keys = here.flatMap((binding) => binding.keys)
    const letters = columnsOf(view).map(({letter}) => letter)
    expect(new Set([...keys, ...letters]).size, view).toBe(keys.length + letters.length)
  }
})

test.each([
  [['j'], 'gpu-2'],
  [['j', 'j', 'k'], 'gpu-2'],
  [['down', 'down'], 'gpu-3'],
  [['up'], 'gpu-1'],
  [['G'], 'gpu-50'],
  [['end', 'g'], 'gpu-1'],
  [['pgdn'], 'gpu-19'],
  [['pgdn', 'pgdn', 'pgup'], 'gpu-19'],
  [['space', 'ctrl+b'], 'gpu-1'],
])('%j selects %s', (keys, name) => {
  const top = topState({frame: fifty})
  top.press('2', ...keys)
  expect(selected(top)).toBe(name)
})

test('the selection follows its node when rows move, and stays in place when that is gone', () => {
  const top = topState()
  top.press('2', 'j')
  top.happen({kind: 'frame', frame: {...THREE, whole: false, order: ['gpu-2', 'gpu-3', 'gpu-1']}})
  expect(top.state().lists.nodes).toMatchObject({selected: 'gpu-2', index: 0})
  top.happen({kind: 'frame', frame: {...THREE, whole: false, order: ['gpu-3', 'gpu-1']}})
  expect(selected(top)).toBe('gpu-3')
})

test('who stands at the top of a list that grows there sees what comes', () => {
  const top = topState()
  const come = (id: string, atMs: number) =>
    top.happen({
      kind: 'frame',
      frame: {...THREE, whole: false, requests: [liveRequest(id, {atMs})]},
    })
  come('r1', 1)
  top.press('4')
  come('r2', 2)
  expect(top.state().lists.requests.selected).toBe('r2')
  top.press('j')
  come('r3', 3)
  expect(top.state().lists.requests).toMatchObject({selected: 'r1', index: 2})
})

test.each([
  ['2', 'nodes'],
  ['5', 'events'],
  ['tab', 'nodes'],
  ['left', 'events'],
  ['?', 'help'],
])('%s leads to %s', (key, kind) => {
  const top = topState()
  top.press(key)
  expect(placeIn(top.state()).kind).toBe(kind)
})

test('enter goes into the entry, esc back to the same row, and from a first place to the overview', () => {
  const top = topState()
  top.press('2', 'j', 'enter')
  expect(placeIn(top.state())).toEqual({kind: 'node', name: 'gpu-2'})
  top.press('l')
  expect(placeIn(top.state())).toEqual({kind: 'logs', name: 'gpu-2'})
  top.press('esc', 'esc')
  expect(placeIn(top.state()).kind).toBe('nodes')
  expect(selected(top)).toBe('gpu-2')
  top.press('esc', 'esc')
  expect(placeIn(top.state()).kind).toBe('overview')
  expect(top.effects).toEqual([{kind: 'follow', node: 'gpu-2'}, {kind: 'unfollow'}])
})

test.each([
  ['d', 'drain', 'Drain gpu-1? No new request goes there.'],
  ['r', 'restart', 'Restart Ollama on gpu-1? Requests that it works on break off.'],
])('%s asks first, and only y does it', (key, kind, question) => {
  for (const no of ['n', 'enter', 'esc', 'q', 'space']) {
    const top = topState()
    top.press('2', key)
    expect(top.state().prompt).toMatchObject({kind: 'confirm', question})
    top.press(no)
    expect(top.effects).toEqual([])
    expect(top.state()).toMatchObject({told: {text: 'nothing was done'}})
    top.press(key, 'y')
    expect(top.effects).toEqual([{kind, node: 'gpu-1'}])
  }
})

test('undrain and shell are done at once', () => {
  const top = topState()
  top.press('2', 'u', 's')
  expect(top.effects).toEqual([
    {kind: 'undrain', node: 'gpu-1'},
    {kind: 'shell', node: 'gpu-1'},
  ])
})

test.each(['r', 's', 'l'])('%s says why it cannot be done to a node without SSH', (key) => {
  const top = topState({frame: wholeFrame([unreadNode('box')])})
  top.press('2', key)
  expect(top.effects).toEqual([])
  expect(top.state().told?.text).toMatch(/^box is not reached over SSH/)
})

test('a request under way is ended if the answer is yes, one that has ended is left', () => {
  const top = topState({
    frame: {...THREE, requests: [liveRequest('r1'), liveRequest('r0', {state: 'ended'})]},
  })
  top.press('4', 'c')
  expect(top.state().prompt).toMatchObject({
    question: 'End llama3.2:latest on gpu-1? Its client gets an error.',
  })
  top.press('y', 'j', 'c')
  expect(top.effects).toEqual([{kind: 'cancel', request: 'r1'}])
  expect(top.state().told?.text).toBe('that request has ended already')
})

test('the decision behind a request is asked for when it is opened', () => {
  const top = topState({frame: {...THREE, requests: [liveRequest('r1')]}})
  top.press('4', 'enter')
  expect(top.effects).toEqual([{kind: 'decide', request: 'r1'}])
  top.happen({kind: 'decided', request: 'other', failed: 'late'})
  expect(top.state().decision).toEqual({request: 'r1'})
})

test('the decision behind a request that waits is asked for again when it is sent, and when it is sent elsewhere', () => {
  const {node: _, ...nowhere} = liveRequest('r1', {state: 'waiting', attempts: 0})
  const top = topState({frame: {...THREE, requests: [nowhere]}})
  top.press('4', 'enter')
  const tells = (request: LiveRequest) =>
    top.happen({kind: 'frame', frame: {...THREE, whole: false, nodes: [], requests: [request]}})
  tells({...nowhere, queueMs: 900})
  expect(top.effects).toHaveLength(1)
  tells(liveRequest('r1', {node: 'gpu-1', attempts: 1}))
  expect(top.effects).toHaveLength(2)
  tells(liveRequest('r1', {node: 'gpu-1', attempts: 1, queueMs: 1000}))
  tells(liveRequest('r2', {node: 'gpu-3', attempts: 1}))
  expect(top.effects).toHaveLength(2)
  tells(liveRequest('r1', {node: 'gpu-2', attempts: 2}))
  expect(top.effects).toEqual(Array.from({length: 3}, () => ({kind: 'decide', request: 'r1'})))
})

test('a filter holds while it is typed, esc takes back what it was before', () => {
  const top = topState({frame: fifty})
  const shown = () => top.state().lists.nodes.filter
  top.press('2', '/', 'gpu-4', 'enter')
  expect(shown()).toBe('gpu-4')
  expect(selected(top)).toBe('gpu-4')
  top.press('/', '9')
  expect([shown(), selected(top)]).toEqual(['gpu-49', 'gpu-49'])
  top.press('esc')
  expect(shown()).toBe('gpu-4')
  top.press('esc')
  expect(shown()).toBe('')
})

test('a capital letter sorts by its column, again turns it around; < and > go to the columns beside', () => {
  const top = topState()
  const sort = () => top.state().lists.nodes.sort
  top.press('2', 'T')
  expect(sort()).toEqual({column: 'tokens', descending: false})
  top.press('T')
  expect(sort()).toEqual({column: 'tokens', descending: true})
  top.press('>')
  expect(sort()?.column).toBe('flight')
  top.press('<', '<')
  expect(sort()?.column).toBe('version')
})

test('a key that means nothing here says so, and does nothing', () => {
  const top = topState()
  top.press('3', 'd')
  expect(top.effects).toEqual([])
  expect(top.state().told?.text).toBe('"d" does nothing here; ? says what does')
})

test.each(['q', 'ctrl+c'])('%s leaves, also where the terminal is too small', (key) => {
  for (const rows of [24, 5]) {
    const top = topState({rows})
    top.press(key)
    expect(top.effects).toEqual([{kind: 'quit'}])
  }
})

test('in a terminal that is too small no other key does anything', () => {
  const top = topState({columns: 59})
  top.press('2', 'd', 'y')
  expect(top.effects).toEqual([])
  expect(placeIn(top.state()).kind).toBe('overview')
})

test.each([
  ['nodes', {kind: 'nodes'}],
  ['req', {kind: 'requests'}],
  ['n', {kind: 'nodes'}],
  ['node gpu-2', {kind: 'node', name: 'gpu-2'}],
  ['model qwen3:8b', {kind: 'model', name: 'qwen3:8b'}],
  ['logs gpu-3', {kind: 'logs', name: 'gpu-3'}],
  ['help', {kind: 'help'}],
])(':%s leads there', (line, place) => {
  const top = topState()
  top.press(':', line, 'enter')
  expect(placeIn(top.state())).toEqual(place)
})

test.each([
  ['undrain gpu-2', [{kind: 'undrain', node: 'gpu-2'}]],
  ['pull tiny gpu-3', [{kind: 'pull', node: 'gpu-3', model: 'tiny'}]],
  ['shell gpu-1', [{kind: 'shell', node: 'gpu-1'}]],
  ['quit', [{kind: 'quit'}]],
])(':%s does it', (line, effects) => {
  const top = topState()
  top.press(':', line, 'enter')
  expect(top.effects).toEqual(effects)
})

test.each([
  ['nodse', 'no command ":nodse"; did you mean :nodes?'],
  ['xyz', 'no command ":xyz"; ? lists them'],
  ['drain gpu-22', 'no node "gpu-22" here; did you mean gpu-2?'],
  ['drain a b', 'too many words: :drain NODE'],
  ['node', ':node NODE'],
  ['sort nonsense', 'no column "nonsense" here'],
  ['model nope', 'no model "nope" here'],
])(':%s says what is wrong with it', (line, text) => {
  const top = topState()
  top.press('2', ':', line, 'enter')
  expect(top.effects).toEqual([])
  expect(top.state().told?.text).toBe(text)
})

test('tab completes commands and what they name, and goes through all that fit', () => {
  const top = topState()
  const typed = () => (top.state().prompt as {text: string}).text
  top.press(':', 'dr', 'tab')
  expect(typed()).toBe('drain ')
  top.press('g', 'tab')
  expect(typed()).toBe('drain gpu-1')
  top.press('tab', 'tab')
  expect(typed()).toBe('drain gpu-3')
  top.press('tab')
  expect(typed()).toBe('drain gpu-1')
  top.press('shift+tab')
  expect(typed()).toBe('drain gpu-3')
  top.press('enter', 'y')
  expect(top.effects).toEqual([{kind: 'drain', node: 'gpu-3'}])
})

test('p asks for the model, completes it from the fleet, and pulls it to the node', () => {
  const top = topState()
  top.press('2', 'j', 'p', 'qw', 'tab', 'enter')
  expect(top.effects).toEqual([{kind: 'pull', node: 'gpu-2', model: 'qwen3:8b'}])
})

test('what is typed can be taken back, and never holds a control character', () => {
  const top = topState()
  top.press(':', 'abc def')
  top.press('ctrl+w', 'backspace', 'backspace')
  expect(top.state().prompt).toMatchObject({text: 'ab'})
  top.happen({kind: 'key', key: '\u001b'})
  expect(top.state().prompt).toMatchObject({text: 'ab '})
  top.press('ctrl+u', 'backspace')
  expect(top.state().prompt).toBeUndefined()
})

test('every command of the table is known by its whole name', () => {
  for (const {name} of COMMANDS) {
    const top = topState()
    top.press('2', ':', name, 'enter')
    expect(top.state().told?.text ?? '').not.toMatch(/no command/)
  }
})

test('a log is followed; moving up stops that, G follows again, and lines that go do not move it', () => {
  const top = topState()
  const lines = (from: number, to: number) =>
    Array.from({length: to - from}, (_, at) => `line ${from + at}\n`).join('')
  top.press(':', 'logs gpu-1', 'enter', 'w')
  top.happen({kind: 'log', node: 'gpu-1', text: lines(0, 100)})
  top.happen({kind: 'log', node: 'gpu-2', text: 'of another\n'})
  expect(top.state().logs?.lines).toHaveLength(100)
  top.press('k')
  expect(top.state().stack.at(-1)?.scroll).toBe(79)
  top.happen({kind: 'log', node: 'gpu-1', text: lines(100, 5200)})
  expect(top.state().logs).toMatchObject({dropped: 200})
  expect(top.state().logs?.lines[0]).toBe('line 200')
  top.press('G')
  expect(top.state().stack.at(-1)?.scroll).toBeUndefined()
})

test('lines of a log that are longer than the screen is wide are broken between words; w cuts them off, and breaks them again', () => {
  const top = topState()
  top.press(':', 'logs gpu-1', 'enter')
  top.happen({kind: 'log', node: 'gpu-1', text: `${'word '.repeat(30)}end\nshort\n`})
  const rows = () => textOf(top.state()).lines.map((line) => line.map(({text}) => text).join(''))
  const broken = rows()
  expect(broken.length).toBe(3)
  expect(broken.slice(0, 2).join(' ')).toBe(`${'word '.repeat(30)}end`)
  for (const row of broken) expect(row.length).toBeLessThanOrEqual(100)
  top.press('k', 'w')
  expect(top.state().stack.at(-1)?.scroll).toBeUndefined()
  expect(rows()).toEqual([`${'word '.repeat(30)}end`, 'short'])
  top.press('w')
  expect(rows()).toEqual(broken)
})

test('lines of a log that say only that a node was looked at are left out and counted, errors and work are not', () => {
  const top = topState()
  const line = (status: number, path: string, method = 'GET     ') =>
    `2026-11-25T13:44:05+0000 h1 ollama[190]: [GIN] 2026/11/25 - 13:47:07 | ${status} |     268.082µs |       127.0.0.1 | ${method} "${path}"`
  const kept = [
    line(500, '/api/ps'),
    line(200, '/api/chat', 'POST    '),
    line(405, '/api/ps', 'POST    '),
    line(200, '/api/ps/more'),
    'GET "/api/ps"',
  ]
  const polls = ['/api/ps', '/api/tags', '/api/version'].map((path) => line(200, path))
  top.press(':', 'logs gpu-1', 'enter')
  top.happen({kind: 'log', node: 'gpu-1', text: [...polls, ...kept, ...polls, ''].join('\n')})
  expect(top.state().logs).toMatchObject({lines: kept, polls: 6})
})

test('a line of a log that a client has made up costs no more than its length', () => {
  const top = topState()
  top.press(':', 'logs gpu-1', 'enter')
  const made = ' [GIN] | 200 |'.repeat(550)
  const sinceMs = performance.now()
  top.happen({kind: 'log', node: 'gpu-1', text: `${made}\n`.repeat(20)})
  // It was a second for each of them.
  expect(performance.now() - sinceMs).toBeLessThan(5000)
  expect(top.state().logs).toMatchObject({polls: 0})
})

test('parts of log lines become whole ones, and one without an end is cut', () => {
  const top = topState()
  top.press(':', 'logs gpu-1', 'enter')
  for (const text of ['ab', 'c\nd', 'ef\r\n', 'x'.repeat(20_000)])
    top.happen({kind: 'log', node: 'gpu-1', text})
  expect(top.state().logs?.lines).toEqual(['abc', 'def'])
  expect(top.state().logs?.partial).toHaveLength(8000)
})
