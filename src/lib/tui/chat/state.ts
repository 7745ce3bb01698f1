import {type Editor, EMPTY} from './editor.ts'

/** What could stand where the cursor is, for the text from `from` on. */
export interface Completions {
  readonly from: number
  readonly candidates: readonly string[]
}

/** The list of completions that is shown; `at`: the one that stands in the line now. */
export interface Menu extends Completions {
  readonly at: number
  /** The line as it was. */
  readonly before: Editor
}

/** A search among what was said. */
export interface Search {
  readonly query: string
  /** The one that is shown, as a place in the history; undefined: none has it. */
  readonly at: number | undefined
  readonly before: Editor
}

/** Everything that the screen shows. Changed by `reduce` and `press` alone. */
export interface ChatState {
  /** What is written for good, in order; each has an id. */
  readonly written: readonly {readonly id: number; readonly lines: readonly string[]}[]
  /** Of the answer that comes: lines that may still change. */
  readonly open: readonly string[]
  /** An answer is asked for or comes. */
  readonly busy: boolean
  /** What is being waited for, and since when. */
  readonly wait: {readonly text: string; readonly sinceMs: number} | undefined
  readonly editor: Editor
  /** The line replaces the last question. */
  readonly editing: boolean
  /** What was said, the oldest first. */
  readonly history: readonly string[]
  /** Where in the history the line is from; its length: the line is a new one, kept in `draft` meanwhile. */
  readonly place: number
  readonly draft: string
  readonly search: Search | undefined
  readonly menu: Menu | undefined
  /** One line for a moment, until the next key. */
  readonly hint: string | undefined
}

export const initialState = (history: readonly string[]): ChatState => ({
  written: [],
  open: [],
  busy: false,
  wait: undefined,
  editor: EMPTY,
  editing: false,
  history,
  place: history.length,
  draft: '',
  search: undefined,
  menu: undefined,
  hint: undefined,
})

/** What happens apart from keys. */
export type ChatEvent =
  /** Lines become final; what is open is now this. */
  | {readonly kind: 'lines'; readonly final: readonly string[]; readonly open: readonly string[]}
  | {readonly kind: 'busy'; readonly busy: boolean}
  | {readonly kind: 'wait'; readonly text: string; readonly nowMs: number}
  | {readonly kind: 'said'; readonly text: string}
  | {readonly kind: 'fill'; readonly editor: Editor; readonly editing: boolean}
  | {readonly kind: 'hint'; readonly text: string}
  | {readonly kind: 'menu'; readonly menu: Menu | undefined; readonly editor: Editor}

/** Entries of the history that one chat holds. */
const MOST_SAID = 1000

export function reduce(state: ChatState, event: ChatEvent): ChatState {
  switch (event.kind) {
    case 'lines': {
      const id = state.written.length
      const written =
        event.final.length > 0 ? [...state.written, {id, lines: event.final}] : state.written
      return {...state, written, open: event.open}
    }
    case 'busy':
      return {...state, busy: event.busy, wait: undefined, hint: undefined}
    case 'wait':
      if (event.text === (state.wait?.text ?? '')) return state
      return {
        ...state,
        wait: event.text === '' ? undefined : {text: event.text, sinceMs: event.nowMs},
      }
    case 'said': {
      const others = state.history.filter((one) => one !== event.text)
      const history = [...others, event.text].slice(-MOST_SAID)
      return {...state, history, place: history.length, draft: ''}
    }
    case 'fill':
      return {...state, editor: event.editor, editing: event.editing, menu: undefined}
    case 'hint':
      return {...state, hint: event.text}
    case 'menu':
      return {...state, menu: event.menu, editor: event.editor}
  }
}
