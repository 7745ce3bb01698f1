import {EDITS, EMPTY, insert, isUnfinished, meantText, moveLine, withText} from './editor.ts'
import {type ActionName, actionOf} from './keymap.ts'
import type {Press} from './keys.ts'
import type {ChatState, Completions, Menu, Search} from './state.ts'

/** What a key asks of those outside. */
export type Effect =
  | {readonly kind: 'send'; readonly text: string; readonly editing: boolean}
  | {readonly kind: 'cancel'}
  | {readonly kind: 'leave'}
  /** What could stand at the end of this text is wanted. */
  | {readonly kind: 'complete'; readonly before: string}

type Pressed = readonly [state: ChatState, effect?: Effect]

const LEAVE_HINT = 'Ctrl-C again, Ctrl-D or /bye leaves'
const BUSY_HINT = 'the answer is still coming: Ctrl-C ends it'

/** A key as a change of the state, and what follows from it outside. Pure. */
export function press(before: ChatState, key: Press): Pressed {
  const state = before.hint === undefined ? before : {...before, hint: undefined}
  if (state.search) return inSearch(state, state.search, key)
  if ('text' in key) return [edited(state, insert(state.editor, key.text))]
  const action = actionOf('input', key.name)
  if (!action) return [state]
  const act = Object.hasOwn(ACTIONS, action) ? ACTIONS[action as keyof typeof ACTIONS] : undefined
  if (act) return act(state, before)
  const edit = Object.hasOwn(EDITS, action) ? EDITS[action as keyof typeof EDITS] : undefined
  return [edit ? edited(state, edit(state.editor)) : state]
}

const edited = (state: ChatState, editor: ChatState['editor']): ChatState => ({
  ...state,
  editor,
  menu: undefined,
})

const ACTIONS: Readonly<
  Partial<Record<ActionName, (state: ChatState, before: ChatState) => Pressed>>
> = {
  send,
  complete,
  older: (state) => [along(state, -1)],
  newer: (state) => [along(state, 1)],
  search: (state) => [
    {...state, menu: undefined, search: {query: '', at: undefined, before: state.editor}},
  ],
  interrupt(state, before) {
    if (state.busy) return [state, {kind: 'cancel'}]
    if (state.editor.text !== '' || state.editing)
      return [
        {...state, editor: {...EMPTY, cut: state.editor.cut}, editing: false, menu: undefined},
      ]
    return before.hint === LEAVE_HINT ? [state, {kind: 'leave'}] : [{...state, hint: LEAVE_HINT}]
  },
  leave(state) {
    if (state.editor.text !== '') return [edited(state, EDITS.delete(state.editor))]
    return state.busy ? [{...state, hint: BUSY_HINT}] : [state, {kind: 'leave'}]
  },
  dismiss(state) {
    if (state.menu) return [{...state, editor: state.menu.before, menu: undefined}]
    return [state.editing ? {...state, editor: EMPTY, editing: false} : state]
  },
}

function send(state: ChatState): Pressed {
  const {editor} = state
  const unfinished = isUnfinished(editor)
  if (unfinished === 'quoted') return [edited(state, EDITS.newline(editor))]
  if (unfinished === 'continued') return [edited(state, EDITS.newline(EDITS.backspace(editor)))]
  if (editor.text.trim() === '') return [state]
  if (state.busy) return [{...state, hint: BUSY_HINT}]
  const text = meantText(editor.text)
  const {editing} = state
  const empty = edited(state, {...EMPTY, cut: editor.cut})
  return [
    {...empty, editing: false, place: state.history.length},
    {kind: 'send', text, editing},
  ]
}

function complete(state: ChatState): Pressed {
  const {menu} = state
  if (!menu) return [state, {kind: 'complete', before: state.editor.text.slice(0, state.editor.at)}]
  const next = {...menu, at: (menu.at + 1) % menu.candidates.length}
  return [{...state, menu: next, editor: chosen(next)}]
}

const chosen = ({before, from, candidates, at}: Menu) => {
  const word = candidates[at] ?? ''
  const text = before.text.slice(0, from) + word
  return {...before, text: text + before.text.slice(before.at), at: text.length}
}

/** The state with what was found put into it: one is taken, of several what they have in common. */
export function completed(state: ChatState, found: Completions): ChatState {
  const {editor} = state
  const [first = ''] = found.candidates
  if (found.candidates.length === 0) return {...state, hint: 'nothing completes this'}
  const menu: Menu = {...found, at: 0, before: editor}
  if (found.candidates.length === 1) return edited(state, chosen({...menu, candidates: [first]}))
  const common = found.candidates.reduce(commonStart)
  const grown =
    common.length > editor.at - found.from ? chosen({...menu, candidates: [common]}) : editor
  return {...state, editor: grown, menu: {...menu, before: grown, at: -1}}
}

function commonStart(a: string, b: string): string {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return a.slice(0, length)
}

/** Up and down: within the text while there are lines, then through what was said. */
function along(state: ChatState, by: -1 | 1): ChatState {
  const moved = moveLine(state.editor, by)
  if (moved) return edited(state, moved)
  const place = state.place + by
  if (place < 0 || place > state.history.length) return state
  const draft = state.place === state.history.length ? state.editor.text : state.draft
  const text = state.history[place] ?? draft
  return {...edited(state, withText(state.editor, text)), place, draft}
}

function inSearch(state: ChatState, search: Search, key: Press): Pressed {
  if ('text' in key) return [look(state, search, search.query + key.text.replaceAll('\n', ' '))]
  switch (actionOf('search', key.name)) {
    case 'searchOlder':
      return [look(state, search, search.query, (search.at ?? state.history.length) - 1)]
    case 'searchShorter':
      return [look(state, search, search.query.slice(0, -1))]
    case 'searchStop':
      return [{...state, search: undefined, editor: search.before}]
    case 'searchTake': {
      const found = search.at === undefined ? undefined : state.history[search.at]
      const editor = found === undefined ? search.before : withText(search.before, found)
      return [{...state, search: undefined, editor, place: search.at ?? state.place}]
    }
    default:
      return [state]
  }
}

/** The newest entry at or before a place that has the words; if there is none, the one before stays. */
function look(
  state: ChatState,
  search: Search,
  query: string,
  from = state.history.length - 1,
): ChatState {
  const wanted = query.toLowerCase()
  let at: number | undefined
  for (let i = from; wanted !== '' && at === undefined && i >= 0; i--)
    if (state.history[i]?.toLowerCase().includes(wanted)) at = i
  const stays = query === search.query ? search.at : undefined
  return {...state, search: {...search, query, at: at ?? stays}}
}
