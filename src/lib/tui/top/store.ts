import type {Effect, TopState} from './state.ts'
import {type TopEvent, update} from './update.ts'

/** The state of the picture, outside of whatever draws it. */
export interface TopStore {
  subscribe(listener: () => void): () => void
  getSnapshot(): TopState
  dispatch(event: TopEvent): void
  /** Stops its clock; nothing is told to anybody after that. */
  close(): void
}

export interface StoreOptions {
  readonly first: TopState
  /** Wall time in ms. */
  readonly now: () => number
  readonly perform: (effect: Effect) => void
  /** How long news of the fleet are gathered before they are shown. Default 250 ms; keys are answered at once. */
  readonly gatherMs?: number
}

const TICK_MS = 1000
const GATHERED: readonly TopEvent['kind'][] = ['frame', 'log', 'tick', 'doing']

export function makeTopStore({first, now, perform, gatherMs = 250}: StoreOptions): TopStore {
  let state = first
  let queue: TopEvent[] = []
  let timer: NodeJS.Timeout | undefined
  const listeners = new Set<() => void>()
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    const events = queue
    queue = []
    const wanted: Effect[] = []
    for (const event of events) {
      const step = update(state, event, now())
      state = step.state
      wanted.push(...step.effects)
    }
    for (const listener of listeners) listener()
    for (const effect of wanted) perform(effect)
  }
  // Ages grow also while nothing comes.
  const clock = setInterval(() => store.dispatch({kind: 'tick'}), TICK_MS)
  clock.unref()
  const store: TopStore = {
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    getSnapshot: () => state,
    dispatch(event) {
      queue.push(event)
      if (!GATHERED.includes(event.kind)) flush()
      else timer ??= setTimeout(flush, gatherMs)
    },
    close() {
      clearInterval(clock)
      clearTimeout(timer)
      listeners.clear()
    },
  }
  return store
}
