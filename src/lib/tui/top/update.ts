import type {LiveFrame, LiveLink} from '../../cluster/live.ts'
import type {RequestDecision} from '../../cluster/live-actions.ts'
import {applyFrame} from './fleet.ts'
import {growsAtTop, listingIn, settled} from './listing.ts'
import {appendLog} from './log-lines.ts'
import {onKey} from './on-key.ts'
import {withList} from './on-prompt.ts'
import {isView, listRows, placeIn, type Told, type TopState} from './state.ts'
import {type Step, step} from './wishes.ts'

/** What may happen to the picture. */
export type TopEvent =
  | {readonly kind: 'frame'; readonly frame: LiveFrame}
  | {readonly kind: 'link'; readonly link: LiveLink}
  | {readonly kind: 'key'; readonly key: string}
  | {readonly kind: 'size'; readonly size: TopState['size']}
  /** Only time has passed. */
  | {readonly kind: 'tick'}
  | {readonly kind: 'told'; readonly told: Told}
  /** Something is being done to a subject; without a text it is over. */
  | {readonly kind: 'doing'; readonly subject: string; readonly text?: string}
  | {readonly kind: 'log'; readonly node: string; readonly text: string}
  | {readonly kind: 'log-ended'; readonly node: string; readonly why: string}
  | {
      readonly kind: 'decided'
      readonly request: string
      readonly known?: RequestDecision
      readonly failed?: string
    }

/** The state after an event, and what is to be done. Pure: the time comes in. */
export function update(before: TopState, event: TopEvent, nowMs: number): Step {
  const {state, effects} = after({...before, nowMs}, event)
  return {state: settle(state), effects}
}

function after(state: TopState, event: TopEvent): Step {
  switch (event.kind) {
    case 'frame':
      return framed(state, event.frame)
    case 'link':
      return step(linked(state, event.link))
    case 'key':
      return onKey(state, event.key)
    case 'size':
      return step({...state, size: event.size})
    case 'tick':
      return step(state)
    case 'told':
      return step({...state, told: event.told})
    case 'doing': {
      const {[event.subject]: _, ...others} = state.doing
      const doing = event.text === undefined ? others : {...others, [event.subject]: event.text}
      return step({...state, doing})
    }
    case 'log':
      return step(
        state.logs?.node === event.node
          ? {...state, logs: appendLog(state.logs, event.text)}
          : state,
      )
    case 'log-ended':
      return step(
        state.logs?.node === event.node
          ? {...state, logs: {...state.logs, ended: event.why}}
          : state,
      )
    case 'decided': {
      if (state.decision?.request !== event.request) return step(state)
      const {kind: _, ...decision} = event
      return step({...state, decision})
    }
  }
}

/** A request that is shown and is sent, for the first time or elsewhere, has another decision behind it. */
function framed(before: TopState, frame: LiveFrame): Step {
  const state = {...before, fleet: applyFrame(before.fleet, frame)}
  const place = placeIn(state)
  if (place.kind !== 'request') return step(state)
  const [was, is] = [before, state].map(({fleet}) => fleet.requests.get(place.id))
  const sent = is?.node !== undefined && (is.node !== was?.node || is.attempts !== was?.attempts)
  return sent ? step(state, {kind: 'decide', request: place.id}) : step(state)
}

function linked(state: TopState, link: LiveLink): TopState {
  const {lostAtMs, ...rest} = state
  if (link.state !== 'lost') return {...rest, link}
  return {...rest, link, lostAtMs: lostAtMs ?? state.nowMs}
}

/** Keeps selection and window of the list that is shown within what is there. */
function settle(state: TopState): TopState {
  const {kind} = placeIn(state)
  if (!isView(kind)) return state
  const list = state.lists[kind]
  const room = {rows: listRows(state, kind), stay: growsAtTop(kind)}
  const next = settled(list, listingIn(state, kind).ids, room)
  return next === list ? state : withList(state, kind, next)
}
