import {expect, test} from 'vitest'
import {hintLine, KEYMAP, keyRows} from '../../../../src/lib/tui/chat/keymap.ts'
import {completed, type Effect, press} from '../../../../src/lib/tui/chat/press.ts'
import {type ChatState, initialState, reduce} from '../../../../src/lib/tui/chat/state.ts'

/** Presses keys, or types what is between quotes, one after the other; gives the state and what was asked for. */
function after(start: ChatState, ...keys: string[]): {state: ChatState; effects: Effect[]} {
  let state = start
  const effects: Effect[] = []
  for (const key of keys) {
    const [next, effect] = press(
      state,
      key.startsWith("'") ? {text: key.slice(1, -1)} : {name: key},
    )
    state = next
    if (effect) effects.push(effect)
  }
  return {state, effects}
}
const fresh = initialState(['first', 'second one', 'third'])
const lineAfter = (...keys: string[]) => after(fresh, ...keys).state.editor.text

test('Enter sends, and the line is empty', () => {
  const {state, effects} = after(fresh, "'hello'", 'enter')
  expect(effects).toEqual([{kind: 'send', text: 'hello', editing: false}])
  expect(state.editor.text).toBe('')
  expect(after(fresh, "'  '", 'enter').effects).toEqual([])
})

test('several lines: Alt-Enter, Ctrl-J, a backslash, three quotes, a paste', () => {
  const sent = (...keys: string[]) => after(fresh, ...keys, 'enter').effects
  const whole = [{kind: 'send', text: 'a\nb', editing: false}]
  expect(sent("'a'", 'alt+enter', "'b'")).toEqual(whole)
  expect(sent("'a'", 'ctrl+j', "'b'")).toEqual(whole)
  expect(sent("'a\\'", 'enter', "'b'")).toEqual(whole)
  expect(sent("'a\nb'")).toEqual(whole)
  expect(sent('\'"""a\'', 'enter', '\'b"""\'')).toEqual(whole)
})

test('while an answer comes, Enter keeps the line and Ctrl-C ends the answer', () => {
  const busy = reduce(fresh, {kind: 'busy', busy: true})
  const {state, effects} = after(busy, "'next'", 'enter')
  expect(effects).toEqual([])
  expect(state.editor.text).toBe('next')
  expect(state.hint).toMatch(/still coming/)
  expect(after(busy, 'ctrl+c').effects).toEqual([{kind: 'cancel'}])
  expect(after(busy, 'ctrl+d').effects).toEqual([])
})

test('Ctrl-C empties the line; twice on an empty one, or Ctrl-D, leaves', () => {
  expect(after(fresh, "'abc'", 'ctrl+c').state.editor.text).toBe('')
  expect(after(fresh, "'abc'", 'ctrl+c', 'ctrl+c').effects).toEqual([])
  expect(after(fresh, 'ctrl+c', 'ctrl+c').effects).toEqual([{kind: 'leave'}])
  expect(after(fresh, 'ctrl+c', "'x'", 'backspace', 'ctrl+c').effects).toEqual([])
  expect(after(fresh, 'ctrl+d').effects).toEqual([{kind: 'leave'}])
  expect(after(fresh, "'ab'", 'home', 'ctrl+d').state.editor.text).toBe('b')
})

test('up and down go through what was said, and back to what was being written', () => {
  expect(lineAfter('up')).toBe('third')
  expect(lineAfter('up', 'up')).toBe('second one')
  expect(lineAfter('up', 'up', 'up', 'up', 'up')).toBe('first')
  expect(lineAfter("'draft'", 'up', 'down')).toBe('draft')
  expect(lineAfter("'a\nb'", 'up', "'x'")).toBe('ax\nb')
})

test('what is said again moves to the end of the history, once', () => {
  expect(reduce(fresh, {kind: 'said', text: 'first'}).history).toEqual([
    'second one',
    'third',
    'first',
  ])
})

test('Ctrl-R finds what has the words, older with each press', () => {
  const some = initialState(['Quick sort', 'merge sort', 'hello', 'merge sort two'])
  const found = (...keys: string[]) => after(some, 'ctrl+r', ...keys, 'enter').state.editor.text
  expect(found("'sort'")).toBe('merge sort two')
  expect(found("'sort'", 'ctrl+r')).toBe('merge sort')
  expect(found("'sort'", 'ctrl+r', 'ctrl+r', 'ctrl+r')).toBe('Quick sort')
  expect(found("'quik'", 'backspace', "'ck'")).toBe('Quick sort')
  expect(found("'nothing'")).toBe('')
  expect(after(some, "'mine'", 'ctrl+r', "'sort'", 'escape').state.editor.text).toBe('mine')
})

test('Tab asks for completions; one is taken, of several what they share, then each in turn', () => {
  const asked = after(fresh, "'/model m'", 'tab')
  expect(asked.effects).toEqual([{kind: 'complete', before: '/model m'}])
  const one = completed(asked.state, {from: 7, candidates: ['mistral']})
  expect(one.editor.text).toBe('/model mistral')
  expect(one.menu).toBeUndefined()
  const several = completed(asked.state, {from: 7, candidates: ['mist-a', 'mist-b']})
  expect(several.editor.text).toBe('/model mist-')
  expect(after(several, 'tab').state.editor.text).toBe('/model mist-a')
  expect(after(several, 'tab', 'tab').state.editor.text).toBe('/model mist-b')
  expect(after(several, 'tab', 'tab', 'tab').state.editor.text).toBe('/model mist-a')
  expect(after(several, 'tab', 'escape').state.editor.text).toBe('/model mist-')
  expect(after(several, 'tab', "'x'").state.menu).toBeUndefined()
  expect(completed(asked.state, {from: 7, candidates: []}).hint).toMatch(/nothing/)
})

test('completing keeps what stands behind the cursor', () => {
  const {state} = after(fresh, "'/mod x'", 'left', 'left')
  const done = completed(state, {from: 0, candidates: ['/model']})
  expect(done.editor).toMatchObject({text: '/model x', at: 6})
})

test('a question that is edited is sent as such, and Escape leaves it as it was', () => {
  const editor = {text: 'old', at: 3, cut: ''}
  const editing = reduce(fresh, {kind: 'fill', editor, editing: true})
  expect(after(editing, "'er'", 'enter').effects).toEqual([
    {kind: 'send', text: 'older', editing: true},
  ])
  expect(after(editing, 'escape').state).toMatchObject({editing: false, editor: {text: ''}})
  expect(after(editing, 'ctrl+c').state.editing).toBe(false)
})

test('no key has two meanings at one place, and every key stands in the help', () => {
  for (const place of ['input', 'search'] as const) {
    const keys = KEYMAP.filter((row) => row.place === place).flatMap((row) => row.keys)
    expect(new Set(keys).size).toBe(keys.length)
    expect(keyRows(place).flatMap(([names]) => names.split(', '))).toHaveLength(keys.length)
  }
  expect(hintLine('input')).toBe('Enter send · Alt-Enter new line · Tab complete · Ctrl-R search')
})

test('a key without a meaning changes nothing', () => {
  expect(after(fresh, 'pageup', 'ctrl+q', 'alt+z').state).toBe(fresh)
})
