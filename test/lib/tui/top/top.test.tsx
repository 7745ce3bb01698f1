import {expect, test} from 'vitest'
import {COMMANDS} from '../../../../src/lib/tui/top/command-line.ts'
import {KEYMAP} from '../../../../src/lib/tui/top/keymap.ts'
import {picture} from '../../../../src/lib/tui/top/picture.ts'
import {VIEWS} from '../../../../src/lib/tui/top/state.ts'
import {widthOf} from '../../../../src/lib/tui/top/text.ts'
import {makeTheme} from '../../../../src/lib/tui/top/theme.ts'
import {liveNode, liveRequest, wholeFrame} from '../../../support/fake-fleet.ts'
import {topState} from '../../../support/top-state.ts'
import {FRAME, seen, shown} from '../../../support/top-view.tsx'

const THEME = makeTheme({shade: 'dark', color: false, unicode: true})

test('a log shows its newest lines, a filter only those that fit, and its end', async () => {
  const {screen, type, happen} = shown({view: 'nodes', rows: 15})
  await seen(screen, 'live')
  type('l')
  await seen(screen, 'waiting for the log')
  const text = Array.from({length: 40}, (_, at) => `line ${at}\u001b[1m red\n`).join('')
  happen({kind: 'log', node: 'gpu-1', text})
  await seen(screen, 'line 39 [1m red')
  expect(screen.text()).not.toContain('line 28')
  type('/')
  type('line 3 !red3')
  await seen(screen, /line 23 .*\nline 30 /)
  type('\u001b')
  happen({kind: 'log-ended', node: 'gpu-1', why: 'the connection was lost; next: press l again'})
  await seen(screen, 'the connection was lost; next: press l again')
})

test('the help shows every key, every column and every command', async () => {
  const {screen, type} = shown({rows: 100})
  await seen(screen, 'live')
  type('?')
  await seen(screen, '> help')
  const text = screen.text()
  for (const {keys, about} of KEYMAP) {
    expect(text).toContain(keys.join(' '))
    expect(text).toContain(about.slice(0, 40))
  }
  for (const {name, about} of COMMANDS) {
    expect(text).toContain(`:${name}`)
    expect(text).toContain(about.slice(0, 40))
  }
})

test.each([
  [60, 15],
  [80, 24],
  [200, 50],
])('at %dx%d every view fills the screen exactly and none is wider', async (columns, rows) => {
  for (const view of VIEWS) {
    const state = topState({frame: FRAME, columns, rows})
    state.press(String(VIEWS.indexOf(view) + 1))
    for (const keys of [[], ['enter'], ['esc', '/', 'x'], ['esc', '?'], ['esc', ':', 'dr']]) {
      state.press(...keys)
      const lines = picture(state.state(), THEME)
      expect(lines).toHaveLength(rows)
      for (const line of lines) expect(widthOf(line), `${view} ${keys}: ${line}`).toBe(columns)
    }
  }
})

test('a smaller terminal says what it needs, and a larger one shows all again', async () => {
  const {screen, happen} = shown()
  await seen(screen, 'live')
  happen({kind: 'size', size: {columns: 40, rows: 8}})
  await seen(screen, '40x8: too small, 60x15 needed; q leaves')
  happen({kind: 'size', size: {columns: 60, rows: 15}})
  await seen(screen, '[1 overview]')
})

test('a lost source shows how old everything is, until it is there again', async () => {
  const {screen, happen} = shown()
  await seen(screen, 'live')
  const source = {kind: 'gateway', url: 'http://gate:11435'} as const
  happen({kind: 'link', link: {state: 'lost', source, reason: 'connection refused'}})
  await seen(screen, /LOST, trying again; data of now/)
  await seen(screen, 'connection refused')
  happen({kind: 'link', link: {state: 'live', source}})
  await seen(screen, /live$/m)
  expect(screen.text()).not.toContain('LOST')
})

test('letters of names are never obeyed by the terminal', async () => {
  const evil = 'x\u001b]0;title\u0007\u001b[2J\u009b31m\u202egpj\r\n'
  const {screen, happen, type} = shown({view: 'nodes', color: true})
  const node = liveNode(evil, {
    state: 'down',
    reason: evil,
    target: evil,
    version: evil,
    labels: {[evil]: evil},
  })
  happen({
    kind: 'frame',
    frame: wholeFrame([node], {requests: [liveRequest(evil, {model: evil, reason: evil})]}),
  })
  happen({kind: 'told', told: {tone: 'bad', text: evil}})
  // The screen of this test throws at everything that the painter has no business to say.
  await seen(screen, 'x ]0;title')
  for (const keys of ['\r', '4', '\r', '2', 'd', 'y', ':node ']) type(keys)
  await seen(screen, /^ :node _ {3}x \]0;title/m)
})
