import fc from 'fast-check'
import {render} from 'ink-testing-library'
import stringWidth from 'string-width'
import {afterEach, expect, test} from 'vitest'
import {AnswerFlow} from '../../../../src/lib/tui/chat/answer-flow.ts'
import {ChatView} from '../../../../src/lib/tui/chat/chat-view.tsx'
import {EMPTY, withText} from '../../../../src/lib/tui/chat/editor.ts'
import {frameOf} from '../../../../src/lib/tui/chat/frame.ts'
import type {Effect} from '../../../../src/lib/tui/chat/press.ts'
import {strayRows} from '../../../../src/lib/tui/chat/reflow.ts'
import {type ChatState, initialState} from '../../../../src/lib/tui/chat/state.ts'
import {ChatStore} from '../../../../src/lib/tui/chat/store.ts'
import {waitFor} from '../../../support/wait-for.ts'

const LOOK = {color: false, light: false, links: false}
let unmount = () => {}
afterEach(() => unmount())

function open() {
  const effects: Effect[] = []
  const store = new ChatStore(initialState(['said before']), (effect) => effects.push(effect))
  const view = render(<ChatView store={store} look={LOOK} now={() => 0} />)
  unmount = view.unmount
  const flow = new AnswerFlow(() => 60, LOOK, store.dispatch)
  const frame = () => view.lastFrame() ?? ''
  const shows = (lines: readonly string[]) =>
    waitFor(`the frame ${JSON.stringify(lines)}`, () => {
      expect(frame().split('\n')).toEqual(lines)
      return true
    })
  return {store, effects, flow, frame, shows, type: view.stdin.write}
}

test('what is written for good stands above, the open end and the line below it', async () => {
  const {store, flow, shows} = open()
  store.dispatch({kind: 'lines', final: ['>>> hi', ''], open: []})
  store.dispatch({kind: 'busy', busy: true})
  store.dispatch({kind: 'wait', text: 'n1: answering', nowMs: 0})
  flow.piece('# Head\n\nSome **te', false)
  flow.draw()
  await shows([
    '>>> hi',
    '',
    '# Head',
    '',
    'Some **te',
    '⠋ n1: answering · Ctrl-C ends it',
    '',
    '>>>',
  ])
  flow.piece('xt**', false)
  flow.end(['n1 · 3 tokens'])
  store.dispatch({kind: 'busy', busy: false})
  await shows([
    '>>> hi',
    '',
    '# Head',
    '',
    'Some text',
    '',
    'n1 · 3 tokens',
    '>>>',
    'Enter send · Alt-Enter new line · Tab complete · Ctrl-R search · /help',
  ])
})

test('keys reach the line, in one piece or one by one', async () => {
  const {effects, frame, type} = open()
  // Ink reads keys from when its effects have run.
  await waitFor('the keys to be read', () => {
    type('a')
    return frame().includes('>>> a')
  })
  type('\u0015hello\r')
  await waitFor('the text', () => effects.length === 1)
  expect(effects).toEqual([{kind: 'send', text: 'hello', editing: false}])
  type('\u001b[A')
  await waitFor('the history', () => frame().includes('>>> said before'))
  type('\u0015\u001b[200~one\rtwo\u001b[201~')
  await waitFor('the paste', () => frame().includes('>>> one\n... two'))
})

test('thoughts stand before the answer', async () => {
  const {flow, frame} = open()
  flow.piece('hmm', true)
  flow.piece('yes', false)
  flow.end([])
  await waitFor('the answer', () => frame().includes('yes'))
  expect(frame()).toContain('Thinking...\nhmm\n...done thinking.\n\nyes')
})

const state = fc.record({
  open: fc.array(fc.constantFrom('', 'one line', 'x'.repeat(39)), {maxLength: 80}),
  busy: fc.boolean(),
  editing: fc.boolean(),
  hint: fc.option(fc.string({maxLength: 200}), {nil: undefined}),
  editor: fc
    .string({unit: 'grapheme', maxLength: 400})
    .map((text) => withText(EMPTY, text.replaceAll('x', '\n'))),
  search: fc.option(
    fc.record({
      query: fc.string(),
      at: fc.option(fc.constant(0), {nil: undefined}),
      before: fc.constant(EMPTY),
    }),
    {nil: undefined},
  ),
  menu: fc.option(
    fc.record({
      from: fc.constant(0),
      candidates: fc.array(fc.string({unit: 'grapheme', maxLength: 60}), {
        minLength: 2,
        maxLength: 30,
      }),
      at: fc.integer({min: -1, max: 1}),
      before: fc.constant(EMPTY),
    }),
    {nil: undefined},
  ),
})

test('whatever is shown, the frame is lower and no wider than the terminal, and the cursor is in it', () => {
  fc.assert(
    fc.property(
      state,
      fc.integer({min: 40, max: 120}),
      fc.integer({min: 5, max: 50}),
      (some, columns, rows) => {
        const whole: ChatState = {...initialState(['a\nb\u001b[2J']), ...some}
        const {lines, cursor} = frameOf(whole, {columns, rows}, LOOK, 0)
        expect(lines.length).toBeLessThan(rows)
        expect(cursor.y).toBeLessThan(lines.length)
        expect(cursor.x).toBeLessThan(columns)
        for (const line of lines) {
          expect(stringWidth(line)).toBeLessThan(columns)
          expect(line).not.toMatch(/\p{Cc}/u)
        }
      },
    ),
  )
})

test('a terminal that has become narrower: the rows that its lines take now', () => {
  const lines = ['x'.repeat(90), '', 'y'.repeat(40), '>>> abc']
  expect(strayRows({lines, cursor: {x: 7, y: 3}}, 40)).toBe(2)
  expect(strayRows({lines, cursor: {x: 7, y: 3}}, 100)).toBe(0)
  expect(strayRows({lines: ['z'.repeat(60)], cursor: {x: 50, y: 0}}, 40)).toBe(1)
})
