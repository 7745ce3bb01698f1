import {formatAge} from '../../../cluster/format.ts'
import type {LiveRequest} from '../../../cluster/live.ts'
import type {RequestDecision} from '../../../cluster/live-actions.ts'
import type {RoutedCandidate} from '../../../cluster/routing.ts'
import {type Field, fieldLines, gridLines, heading, type TextLine} from '../lines.ts'
import type {TopState} from '../state.ts'
import {clockTime, duration, UNKNOWN} from '../words.ts'

/** A request and the decision behind it. */
export function requestLines(state: TopState, id: string): readonly TextLine[] {
  const decision = state.decision?.request === id ? state.decision : undefined
  const request = state.fleet.requests.get(id) ?? decision?.known?.request
  const {columns} = state.size
  if (!request) return [[{text: 'that request ended a while ago and is forgotten', tone: 'warn'}]]
  return [
    ...fieldLines(requestFields(request, state.nowMs), columns),
    ...decisionLines(decision, columns),
  ]
}

function requestFields(request: LiveRequest, nowMs: number): Field[] {
  return [
    ['request', request.id],
    ['arrived', `${clockTime(request.atMs)} (${formatAge(nowMs - request.atMs)})`],
    ['state', [request.state, request.outcome].filter(Boolean).join(': ')],
    ['status', request.status ? `${request.status}` : undefined],
    ['route', request.route],
    ['key', request.key],
    ['model', request.model ?? UNKNOWN],
    ['node', request.node ?? '-'],
    ['why', request.reason],
    ['attempts', `${request.attempts}`],
    ['queue', duration(request.queueMs)],
    ['first byte', request.firstByteMs === undefined ? '-' : duration(request.firstByteMs)],
    ['in all', duration(request.totalMs ?? Math.max(0, nowMs - request.atMs))],
    ['tokens', request.answerTokens === undefined ? UNKNOWN : `${request.answerTokens}`],
  ]
}

function decisionLines(decision: TopState['decision'], columns: number): TextLine[] {
  if (!decision) return []
  if (decision.failed !== undefined)
    return [...heading('The decision'), ...fieldLines([['', decision.failed, 'warn']], columns)]
  if (!decision.known) return heading('The decision: being asked for ...')
  return planLines(decision.known, columns)
}

function planLines({request, plan, planIs}: RequestDecision, columns: number): TextLine[] {
  if (!plan) {
    const why =
      request.state === 'waiting'
        ? 'none yet: it waits for a node to be free'
        : 'nobody had to choose, or it is no longer known'
    return [...heading('The decision'), ...fieldLines([['', why]], columns)]
  }
  const when = planIs === 'now' ? 'reckoned anew, as things stand now' : 'as it stood then'
  return [
    ...heading(`The decision (${plan.policy}; ${when}): what was expected of each node`),
    ...gridLines([
      ['NODE', 'TOTAL', 'WAIT', 'LOAD', 'PROMPT', 'ANSWER', 'NET', 'RISK', 'HARM', 'MODEL', 'BUSY'],
      ...plan.candidates.map(candidateRow),
    ]),
    ...(plan.excluded.length === 0 ? [] : heading('Could not take it')),
    ...fieldLines(
      plan.excluded.map(({node, text}) => [node, text]),
      columns,
    ),
  ]
}

/** What rests on a guess has a question mark. */
function candidateRow(one: RoutedCandidate): string[] {
  const guess = (term: 'load' | 'prompt' | 'answer', ms: number) =>
    `${duration(ms)}${one.guessed.includes(term) ? '?' : ''}`
  return [
    one.node,
    duration(one.totalMs),
    duration(one.waitMs),
    guess('load', one.loadMs),
    guess('prompt', one.promptMs),
    guess('answer', one.answerMs),
    duration(one.networkMs),
    duration(one.riskMs),
    duration(one.harmMs),
    one.residency,
    `${one.inFlight}`,
  ]
}
