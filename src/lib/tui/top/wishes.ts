import {listingIn} from './listing.ts'
import {noLogs} from './log-lines.ts'
import {
  type Effect,
  isView,
  type Place,
  placeIn,
  type Shown,
  type TopState,
  VIEWS,
} from './state.ts'

/** A state, and what is to be done to the world. */
export interface Step {
  readonly state: TopState
  readonly effects: readonly Effect[]
}

export const step = (state: TopState, ...effects: readonly Effect[]): Step => ({state, effects})

/** Says something in the status line. */
export const tell = (
  state: TopState,
  text: string,
  tone: 'good' | 'warn' | 'bad' = 'warn',
): TopState => ({
  ...state,
  told: {tone, text},
})

/** The entry that is selected in the view that is shown. */
function selectedIn(state: TopState): string | undefined {
  const {kind} = placeIn(state)
  return isView(kind) ? state.lists[kind].selected : undefined
}

/** The node that a key would act on. */
function nodeIn(state: TopState): string | undefined {
  const place = placeIn(state)
  if (place.kind === 'node' || place.kind === 'logs') return place.name
  if (place.kind === 'request') return state.fleet.requests.get(place.id)?.node
  const selected = selectedIn(state)
  return isView(place.kind) && selected !== undefined
    ? listingIn(state, place.kind).nodeOf(selected)
    : undefined
}

/** Goes to a place. A view begins a new stack: there is nothing to go back to but the first view. */
export function goTo(state: TopState, place: Place): Step {
  const shown: Shown = place.kind === 'logs' ? {place} : {place, scroll: 0}
  const left = placeIn(state)
  const same = JSON.stringify(left) === JSON.stringify(place)
  const stack: TopState['stack'] = isView(place.kind)
    ? [shown]
    : same
      ? state.stack
      : [...state.stack, shown]
  const next: TopState = {...state, stack}
  const effects: Effect[] = left.kind === 'logs' && !same ? [{kind: 'unfollow'}] : []
  if (place.kind === 'logs' && !same)
    return step({...next, logs: noLogs(place.name), logsFilter: ''}, ...effects, {
      kind: 'follow',
      node: place.name,
    })
  if (place.kind === 'request') {
    const {decision: _, ...rest} = next
    return step({...rest, decision: {request: place.id}}, ...effects, {
      kind: 'decide',
      request: place.id,
    })
  }
  return step(next, ...effects)
}

/** One step back; at the first place there is none. */
export function goBack(state: TopState): Step {
  const [first, ...rest] = state.stack
  if (rest.length === 0) {
    if (first.place.kind === VIEWS[0]) return step(state)
    return goTo(state, {kind: VIEWS[0]})
  }
  const left = placeIn(state)
  const next: TopState = {...state, stack: [first, ...rest.slice(0, -1)]}
  if (left.kind !== 'logs') {
    const back = placeIn(next)
    // The log was let go of when something was opened over it.
    return back.kind === 'logs'
      ? step({...next, logs: noLogs(back.name)}, {kind: 'follow', node: back.name})
      : step(next)
  }
  const {logs: _, ...without} = next
  return step(without, {kind: 'unfollow'})
}

/** Opens the selected entry. */
export function open(state: TopState): Step {
  const selected = selectedIn(state)
  const {kind} = placeIn(state)
  if (selected === undefined) return step(state)
  if (kind === 'overview' || kind === 'nodes') return goTo(state, {kind: 'node', name: selected})
  if (kind === 'models') return goTo(state, {kind: 'model', name: selected})
  if (kind === 'requests') return goTo(state, {kind: 'request', id: selected})
  const node = nodeIn(state)
  return node !== undefined && state.fleet.nodes.has(node)
    ? goTo(state, {kind: 'node', name: node})
    : step(tell(state, 'that event speaks of no node that is there'))
}

export type NodeWish = 'drain' | 'undrain' | 'restart' | 'shell' | 'logs' | 'pull'

const QUESTIONS: Readonly<Partial<Record<NodeWish, (node: string) => string>>> = {
  drain: (node) => `Drain ${node}? No new request goes there.`,
  restart: (node) => `Restart Ollama on ${node}? Requests that it works on break off.`,
}
const NEEDS_SSH: readonly NodeWish[] = ['restart', 'shell', 'logs']

/** What is wanted of a node: done at once, or asked for first. */
export function wishFor(state: TopState, wish: NodeWish, name = nodeIn(state)): Step {
  if (name === undefined)
    return step(tell(state, `choose a node first, or say which: :${wish} NODE`))
  const node = state.fleet.nodes.get(name)
  if (!node) return step(tell(state, `no node "${name}" is there (any more)`, 'bad'))
  if (NEEDS_SSH.includes(wish) && node.kind !== 'ssh')
    return step(
      tell(state, `${name} is not reached over SSH: ${wish} works on the machine itself`, 'bad'),
    )
  if (wish === 'logs') return goTo(state, {kind: 'logs', name})
  if (wish === 'pull') return step({...state, prompt: {kind: 'pull', node: name, text: ''}})
  const effect: Effect = {kind: wish, node: name}
  const question = QUESTIONS[wish]?.(name)
  return question === undefined
    ? step(state, effect)
    : step({...state, prompt: {kind: 'confirm', question, effect}})
}

/** Asks whether to end the request that is selected or shown. */
export function wishToCancel(state: TopState): Step {
  const place = placeIn(state)
  const id = place.kind === 'request' ? place.id : selectedIn(state)
  const request = id === undefined ? undefined : state.fleet.requests.get(id)
  if (!request) return step(tell(state, 'choose a request first'))
  if (request.state === 'ended') return step(tell(state, 'that request has ended already'))
  const what = [request.model ?? 'request', request.node && `on ${request.node}`]
    .filter(Boolean)
    .join(' ')
  const effect: Effect = {kind: 'cancel', request: request.id}
  return step({
    ...state,
    prompt: {kind: 'confirm', question: `End ${what}? Its client gets an error.`, effect},
  })
}
