import {expect, test} from 'vitest'
import {keyNames} from '../../../../src/lib/tui/top/key-names.ts'
import {plainLines} from '../../../../src/lib/tui/top/plain.ts'
import {makeTheme, speaksUnicode} from '../../../../src/lib/tui/top/theme.ts'
import {
  liveNode,
  liveRequest,
  T0,
  totalsAt,
  unreadNode,
  wholeFrame,
} from '../../../support/fake-fleet.ts'

function told() {
  let nowMs = T0
  const lines: string[] = []
  const plain = plainLines(
    // The time of day is the reader's own.
    (line) => lines.push(line.replace(/^\d\d:\d\d:\d\d /, '')),
    () => nowMs,
  )
  return {
    ...plain,
    wait: (ms: number) => {
      nowMs += ms
    },
    take: () => lines.splice(0),
  }
}
const news = {atMs: T0, whole: false, nodes: [], requests: [], events: [], totals: totalsAt(T0)}
const FIGURES = '123 tokens/s, 7 in flight, 2 waiting, first token 180ms (p95 1.2s), 0.0 errors/s'

test('at first what is not well, then only what changes, one thing a line', () => {
  const plain = told()
  plain.onLink({state: 'live', source: {kind: 'gateway', url: 'http://gate:1'}})
  const down = liveNode('b', {state: 'down', reason: 'connection refused'})
  plain.onFrame(wholeFrame([liveNode('a'), down, unreadNode('c')]))
  expect(plain.take()).toEqual([
    'source: gateway http://gate:1',
    'node b: down: connection refused',
    'node c: unread: nobody has looked yet',
    `fleet: 1 of 3 nodes up, ${FIGURES}`,
  ])
  plain.onFrame({...news, nodes: [liveNode('a', {tokensPerS: 3})]})
  expect(plain.take()).toEqual([])
  plain.onFrame({...news, order: ['b', 'c', 'd'], nodes: [liveNode('b'), liveNode('d')]})
  expect(plain.take()).toEqual(['node b: up', 'node d: up', 'node a: not in the cluster any more'])
  plain.onFrame({...news, nodes: [liveNode('b', {drained: true})]})
  expect(plain.take()).toEqual(['node b: up,drained: drained: no new request goes there'])
})

test('requests that fail and events are told, those that the lines of nodes tell already are not', () => {
  const plain = told()
  plain.onFrame(wholeFrame([liveNode('a')]))
  plain.take()
  plain.onFrame({
    ...news,
    requests: [
      liveRequest('1', {state: 'ended', outcome: 'ok'}),
      liveRequest('2', {state: 'ended', outcome: 'failed', status: 502, totalMs: 900, node: 'a'}),
      liveRequest('3'),
    ],
    events: [
      {at: '', event: 'down', node: 'a', text: 'it went away'},
      {at: '', event: 'failed', node: 'a', text: 'pull of tiny'},
    ],
  })
  expect(plain.take()).toEqual([
    'request for llama3.2:latest on a: failed 502 after 900ms',
    'event failed of a: pull of tiny',
  ])
})

test('the figures are told again only after a while and if they are others', () => {
  const plain = told()
  plain.onFrame(wholeFrame([liveNode('a')]))
  plain.take()
  const busier = {...news, totals: totalsAt(T0, {inFlight: 9})}
  plain.onFrame(busier)
  expect(plain.take()).toEqual([])
  plain.wait(10_000)
  plain.onFrame(busier)
  plain.wait(10_000)
  plain.onFrame(busier)
  expect(plain.take()).toHaveLength(1)
})

test('a lost source and its return are lines, and nothing in them is obeyed', () => {
  const plain = told()
  const source = {kind: 'nodes', why: 'no gateway\u001b[2J'} as const
  plain.onLink({state: 'lost', source, reason: 'gone\r\n'})
  expect(plain.take()).toEqual([
    'source lost: the nodes themselves (no gateway [2J): gone  ; trying again',
  ])
})

test('without colour nothing but text is drawn; with it only the 16 colours that all terminals have', () => {
  const tones = ['good', 'bad', 'warn', 'dim', 'strong', 'accent', 'title', 'selected'] as const
  for (const shade of ['dark', 'light'] as const) {
    const plain = makeTheme({shade, color: false, unicode: true})
    const coloured = makeTheme({shade, color: true, unicode: true})
    for (const tone of tones) {
      expect(plain.paint(tone, 'x')).toBe('x')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
      expect(coloured.paint(tone, 'x')).toMatch(/^\u001b\[(1|2|7|3[1-7])mx\u001b\[\d\dm$/)
    }
  }
})

test.each([
  [{LANG: 'C'}, false],
  [{LC_ALL: 'C.UTF-8', LANG: 'C'}, true],
  [{LANG: 'de_DE.utf8'}, true],
  [{LANG: 'de_DE.ISO-8859-1'}, false],
  [{}, true],
])('a terminal in %j is drawn on with more than ASCII: %s', (env, yes) => {
  expect(speaksUnicode(env)).toBe(yes)
})

test.each([
  ['jj', {}, ['j', 'j']],
  ['', {upArrow: true}, ['up']],
  ['', {pageDown: true}, ['pgdn']],
  ['', {tab: true, shift: true}, ['shift+tab']],
  ['c', {ctrl: true}, ['ctrl+c']],
  [':q\r', {}, [':', 'q', 'enter']],
  ['a b', {}, ['a', 'space', 'b']],
  ['4', {meta: true}, ['esc', '4']],
  ['日\u0000', {}, ['日']],
])('%j with %j is %j', (input, key, names) => {
  expect(keyNames(input, key as never)).toEqual(names)
})
