import type {LiveLink} from '../../cluster/live.ts'
import type {RequestDecision} from '../../cluster/live-actions.ts'
import {type Fleet, NO_FLEET} from './fleet.ts'
import type {Sort} from './table.ts'
import type {Tone} from './theme.ts'

/** The views that stand side by side, in the order of their numbers. */
export const VIEWS = ['overview', 'nodes', 'models', 'requests', 'events'] as const
export type ViewName = (typeof VIEWS)[number]

/** What is shown. */
export type Place =
  | {readonly kind: ViewName | 'help'}
  | {readonly kind: 'node' | 'model' | 'logs'; readonly name: string}
  | {readonly kind: 'request'; readonly id: string}

/** A place and how far down its text is scrolled; absent in logs: the newest line is followed. */
export interface Shown {
  readonly place: Place
  readonly scroll?: number
}

export interface ListState {
  readonly filter: string
  /** Absent: the list's own order. */
  readonly sort?: Sort
  /** Id of the selected row, which keeps it when rows move. */
  readonly selected?: string
  readonly index: number
  /** First row that is drawn. */
  readonly top: number
}

/** What an effect does to the world; the reducer only says that it is wanted. */
export type Effect =
  | {readonly kind: 'drain' | 'undrain'; readonly node: string}
  | {readonly kind: 'restart' | 'shell' | 'follow'; readonly node: string}
  | {readonly kind: 'pull'; readonly node: string; readonly model: string}
  | {readonly kind: 'cancel' | 'decide'; readonly request: string}
  | {readonly kind: 'unfollow' | 'quit' | 'pause' | 'redraw'}

/** What is being typed. `cycle`: completions of `base` are being gone through. */
interface Typed {
  readonly text: string
  readonly cycle?: {readonly base: string; readonly at: number}
}

export type Prompt =
  | (Typed & {readonly kind: 'command'})
  | (Typed & {readonly kind: 'filter'; readonly before: string})
  | (Typed & {readonly kind: 'pull'; readonly node: string})
  | {readonly kind: 'confirm'; readonly question: string; readonly effect: Effect}

export interface Logs {
  readonly node: string
  readonly lines: readonly string[]
  /** Lines that were there and are forgotten. */
  readonly dropped: number
  /** Lines that were left out because they say only that somebody looked what the node has. */
  readonly polls: number
  /** A last line without its end. */
  readonly partial: string
  /** Why no more comes. */
  readonly ended?: string
}

export interface Told {
  readonly tone: Tone
  readonly text: string
}

export interface TopState {
  readonly cluster: string
  readonly nowMs: number
  readonly size: {readonly columns: number; readonly rows: number}
  readonly fleet: Fleet
  readonly link?: LiveLink
  /** Wall time at which the link was lost. */
  readonly lostAtMs?: number
  /** Where we came from; the last is shown. Never empty. */
  readonly stack: readonly [Shown, ...Shown[]]
  readonly lists: Readonly<Record<ViewName, ListState>>
  readonly logsFilter: string
  /** Lines of a log that are longer than the screen are broken; else they are cut off. */
  readonly logsWrapped: boolean
  readonly logs?: Logs
  readonly decision?: {
    readonly request: string
    readonly known?: RequestDecision
    readonly failed?: string
  }
  readonly prompt?: Prompt
  readonly told?: Told
  /** What is being done, by what it is done to. */
  readonly doing: Readonly<Record<string, string>>
}

const NO_LIST: ListState = {filter: '', index: 0, top: 0}

export function firstState(
  options: Pick<TopState, 'cluster' | 'nowMs' | 'size'> & {readonly view?: ViewName},
): TopState {
  const {view = 'overview', ...rest} = options
  return {
    ...rest,
    fleet: NO_FLEET,
    stack: [{place: {kind: view}}],
    lists: {overview: NO_LIST, nodes: NO_LIST, models: NO_LIST, requests: NO_LIST, events: NO_LIST},
    logsFilter: '',
    logsWrapped: true,
    doing: {},
  }
}

export const shownIn = (state: TopState): Shown => state.stack.at(-1) ?? state.stack[0]
export const placeIn = (state: TopState): Place => shownIn(state).place

export const isView = (kind: string): kind is ViewName =>
  (VIEWS as readonly string[]).includes(kind)

/** Smaller than this, nothing useful can be shown. */
export const LEAST = {columns: 60, rows: 15} as const
/** Title, tabs, status line and keys. */
const FRAME_ROWS = 4

export const tooSmall = ({size}: TopState): boolean =>
  size.columns < LEAST.columns || size.rows < LEAST.rows

/** Rows between the tabs and the status line. */
export const bodyRows = ({size}: TopState): number => Math.max(1, size.rows - FRAME_ROWS)

/** Rows of figures above the overview's list. */
export const SUMMARY_ROWS = 7

/** Rows that a list has for its entries. */
export function listRows(state: TopState, view: ViewName): number {
  return Math.max(1, bodyRows(state) - 1 - (view === 'overview' ? SUMMARY_ROWS : 0))
}
