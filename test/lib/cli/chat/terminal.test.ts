import {expect, test} from 'vitest'
import {linksOn, reflows} from '../../../../src/lib/cli/chat/terminal.ts'
import {paintRow, span} from '../../../../src/lib/tui/chat/spans.ts'

test.each([
  [{TERM: 'xterm-256color'}, false],
  [{TERM: 'xterm-256color', VTE_VERSION: '7200'}, true],
  [{TERM: 'xterm-256color', VTE_VERSION: '4000'}, false],
  [{TERM: 'xterm-256color', TERM_PROGRAM: 'iTerm.app'}, true],
  [{TERM: 'xterm-kitty'}, true],
  [{TERM: 'tmux-256color', TMUX: '/s', VTE_VERSION: '7200'}, false],
  [{TERM: 'dumb', WT_SESSION: '1'}, false],
])('links with %j: %j', (env, expected) => expect(linksOn(env)).toBe(expected))

test('xterm and screen do not break lines anew', () => {
  expect(reflows({TERM: 'xterm-256color'})).toBe(true)
  expect(reflows({TERM: 'xterm-256color', XTERM_VERSION: 'XTerm(390)'})).toBe(false)
  expect(reflows({TERM: 'screen'})).toBe(false)
  expect(reflows({TERM: 'screen', TMUX: '/s'})).toBe(true)
})

test('colours are of the sixteen, those of a light ground differ, and there may be none', () => {
  const row = [span('a', {hue: 'yellow', bold: true}), span('b')]
  const look = {color: true, light: false, links: false}
  expect(paintRow(row, look)).toBe('\u001b[1;33ma\u001b[0mb')
  expect(paintRow(row, {...look, light: true})).toBe('\u001b[1;35ma\u001b[0mb')
  expect(paintRow(row, {...look, color: false})).toBe('ab')
})
