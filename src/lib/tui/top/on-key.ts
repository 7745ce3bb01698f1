import {type Act, bindingOf, KEYMAP} from './keymap.ts'
import {columnsOf, listingIn} from './listing.ts'
import {filterIn, onPromptKey, sortedBy, withFilter, withList} from './on-prompt.ts'
import {
  bodyRows,
  isView,
  listRows,
  placeIn,
  type Shown,
  shownIn,
  type TopState,
  tooSmall,
  VIEWS,
} from './state.ts'
import {textOf} from './text-of.ts'
import {goBack, goTo, open, type Step, step, tell, wishFor, wishToCancel} from './wishes.ts'

/** The state after a key, and what it wants done. `key`: a name of the keymap, or the character itself. */
export function onKey(state: TopState, key: string): Step {
  if (tooSmall(state))
    return key === 'q' || key === 'ctrl+c' ? step(state, {kind: 'quit'}) : step(state)
  if (state.prompt) return onPromptKey(state, state.prompt, key)
  const {told: _, ...fresh} = state
  const binding = bindingOf(state, key)
  if (binding) return ACTS[binding.act](fresh, key)
  const sorted = sortKey(fresh, key)
  if (sorted) return sorted
  const elsewhere = KEYMAP.find(({keys}) => keys.includes(key))
  return step(elsewhere ? tell(fresh, `"${key}" does nothing here; ? says what does`) : fresh)
}

function sortKey(state: TopState, key: string): Step | undefined {
  const {kind} = placeIn(state)
  const column = isView(kind) ? columnsOf(kind).find(({letter}) => letter === key) : undefined
  return column && sortedBy(state, column.id)
}

const ACTS: Readonly<Record<Act, (state: TopState, key: string) => Step>> = {
  command: (state) => step({...state, prompt: {kind: 'command', text: ''}}),
  filter: (state) => {
    const before = filterIn(state)
    return step({...state, prompt: {kind: 'filter', text: before, before}})
  },
  help: (state) => goTo(state, {kind: 'help'}),
  quit: (state) => step(state, {kind: 'quit'}),
  pause: (state) => step(state, {kind: 'pause'}),
  redraw: (state) => step(state, {kind: 'redraw'}),
  back: (state) => (filterIn(state) === '' ? goBack(state) : step(withFilter(state, ''))),
  enter: open,
  view: (state, key) => {
    const view = VIEWS[Number(key) - 1]
    return view ? goTo(state, {kind: view}) : step(state)
  },
  'next-view': (state) => beside(state, 1),
  'last-view': (state) => beside(state, -1),
  down: (state) => move(state, 1),
  up: (state) => move(state, -1),
  'page-down': (state) => move(state, pageOf(state)),
  'page-up': (state) => move(state, -pageOf(state)),
  first: (state) => move(state, Number.NEGATIVE_INFINITY),
  last: (state) => move(state, Number.POSITIVE_INFINITY),
  'sort-left': (state) => sortBeside(state, -1),
  'sort-right': (state) => sortBeside(state, 1),
  drain: (state) => wishFor(state, 'drain'),
  undrain: (state) => wishFor(state, 'undrain'),
  restart: (state) => wishFor(state, 'restart'),
  logs: (state) => wishFor(state, 'logs'),
  shell: (state) => wishFor(state, 'shell'),
  pull: (state) => wishFor(state, 'pull'),
  cancel: wishToCancel,
  // Other lines stand elsewhere then, so the newest are shown.
  wrap: (state) => move({...state, logsWrapped: !state.logsWrapped}, Number.POSITIVE_INFINITY),
}

function beside(state: TopState, by: number): Step {
  const base = state.stack[0].place.kind
  const at = (VIEWS as readonly string[]).indexOf(base)
  const view = VIEWS[(Math.max(0, at) + by + VIEWS.length) % VIEWS.length]
  return view ? goTo(state, {kind: view}) : step(state)
}

function sortBeside(state: TopState, by: number): Step {
  const {kind} = placeIn(state)
  if (!isView(kind)) return step(state)
  const columns = columnsOf(kind)
  const at = columns.findIndex(({id}) => id === state.lists[kind].sort?.column)
  const next =
    columns[
      at < 0 ? (by > 0 ? 0 : columns.length - 1) : (at + by + columns.length) % columns.length
    ]
  return next ? sortedBy(state, next.id) : step(state)
}

function pageOf(state: TopState): number {
  const {kind} = placeIn(state)
  return Math.max(1, (isView(kind) ? listRows(state, kind) : bodyRows(state)) - 1)
}

function move(state: TopState, by: number): Step {
  const {kind} = placeIn(state)
  if (!isView(kind)) return step(scrolled(state, by))
  const {ids} = listingIn(state, kind)
  const list = state.lists[kind]
  const index = Math.max(0, Math.min(ids.length - 1, list.index + by))
  const selected = ids[index]
  return step(selected === undefined ? state : withList(state, kind, {...list, index, selected}))
}

/** Moves a text; a log that is at its end is followed. */
function scrolled(state: TopState, by: number): TopState {
  const shown = shownIn(state)
  const {lines, first} = textOf(state)
  const last = first + Math.max(0, lines.length - bodyRows(state))
  const at = Math.max(first, Math.min(last, (shown.scroll ?? last) + by))
  const place = shown.place
  const next: Shown = place.kind === 'logs' && at >= last ? {place} : {place, scroll: at}
  const [base, ...rest] = state.stack
  return {...state, stack: rest.length === 0 ? [next] : [base, ...rest.slice(0, -1), next]}
}
