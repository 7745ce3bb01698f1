import {expect, test} from 'vitest'
import {makePainter} from '../../../../src/lib/tui/top/painter.ts'
import {makeTerminal} from '../../../../src/lib/tui/top/terminal.ts'
import {makeScreen} from '../../../support/screen.ts'

test('only the lines that have changed are written, nothing if none has', () => {
  const screen = makeScreen()
  const painter = makePainter(screen.write)
  painter.paint(['one  ', 'two  ', 'three'])
  painter.paint(['one  ', 'TWO  ', 'three'])
  painter.paint(['one  ', 'TWO  ', 'three'])
  expect(screen.written).toHaveLength(2)
  expect(screen.written[1]).toContain('TWO')
  expect(screen.written[1]).not.toMatch(/one|three/)
  expect(screen.text()).toBe('one\nTWO\nthree')
})

test('a picture with fewer lines leaves none of the old ones, and after forgetting all is written anew', () => {
  const screen = makeScreen()
  const painter = makePainter(screen.write)
  painter.paint(['one', 'two', 'three'])
  painter.paint(['one'])
  expect(screen.text()).toBe('one')
  painter.forget()
  painter.paint(['one', 'two'])
  expect(screen.written.at(-1)).toContain('one')
})

test('nothing is blank between two pictures, except where letters may be wider than we think', () => {
  const screen = makeScreen()
  const painter = makePainter(screen.write)
  painter.paint(['plain', '日本 '])
  painter.forget()
  painter.paint(['PLAIN', '日本 '])
  // Erasing anything at all before it is written over would flicker where a terminal shows each step.
  const erased = screen.written.map((text) => text.split('\u001b[2K').length - 1)
  expect(erased).toEqual([1, 1])
  expect(screen.written.join('')).not.toContain('\u001b[2J')
})

function streams(more: {isTTY?: boolean; broken?: boolean} = {}) {
  const modes: boolean[] = []
  let out = ''
  const stdin = {isTTY: more.isTTY ?? true, setRawMode: (on: boolean) => modes.push(on)}
  const stdout = {
    columns: 0,
    rows: 0,
    on() {},
    off() {},
    write(text: string) {
      if (more.broken) throw new Error('write EIO')
      out += text
    },
  }
  const terminal = makeTerminal({stdin, stdout: stdout as never})
  return {terminal, modes, out: () => out}
}

test('leaving gives back the screen, the cursor, the wrapping and the keys, once', () => {
  const {terminal, modes, out} = streams()
  terminal.enter()
  terminal.enter()
  terminal.write('x')
  terminal.leave()
  terminal.leave()
  terminal.write('late')
  expect(modes).toEqual([true, false])
  expect(out()).toBe(
    '\u001b[?1049h\u001b[?25l\u001b[?7lx\u001b[m\u001b[?7h\u001b[?25h\u001b[?1049l',
  )
})

test('a terminal that has gone away is no reason to fail, and one without a size has the usual one', () => {
  const {terminal, modes} = streams({broken: true})
  terminal.enter()
  terminal.write('x')
  terminal.leave()
  expect(modes).toEqual([true, false])
  expect(terminal.size).toEqual({columns: 80, rows: 24})
})
