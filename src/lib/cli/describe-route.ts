import type {DecisionRecord, RoutePlan} from '../cluster/routing.ts'
import {type Cell, forPeople, table} from './output.ts'

const ROUTE = [
  ...['NODE', 'MODEL', 'BUSY', 'WAIT', 'LOAD', 'PROMPT', 'ANSWER', 'NET', 'RISK', 'HARM'],
  ...['TOTAL MS', 'REMARK'],
]

/** A row for each candidate, best first, then one for each node that cannot take the request. */
export function describeRoute({candidates, excluded}: RoutePlan): Promise<string> {
  const rows = candidates.map((one): Cell[] => [
    one.node,
    one.residency,
    String(one.inFlight),
    ...[one.waitMs, one.loadMs, one.promptMs, one.answerMs, one.networkMs, one.riskMs].map(whole),
    ...[one.harmMs, one.totalMs].map(whole),
    one.guessed.length > 0 ? `guessed: ${one.guessed.join(', ')}` : '-',
  ])
  const others = excluded.map(({node, text}): Cell[] => [
    node,
    ...Array.from({length: ROUTE.length - 2}, () => '-'),
    {text, tone: 'dim'},
  ])
  return table(ROUTE, [...rows, ...others])
}

const DECISIONS = [
  ...['AT', 'ID', 'MODEL', 'NODE', 'REASON', 'ATTEMPTS', 'QUEUE MS', 'FIRST MS', 'TOTAL MS'],
  ...['TOKENS', 'OUTCOME'],
]

/** A row for each request, in the order given. */
export function describeDecisions(decisions: readonly DecisionRecord[]): Promise<string> {
  const people = forPeople()
  return table(
    DECISIONS,
    decisions.map((one): Cell[] => [
      people ? new Date(one.at).toTimeString().slice(0, 8) : one.at,
      one.id,
      one.model,
      one.node ?? '-',
      one.reason ?? '-',
      String(one.attempts),
      whole(one.queueMs),
      one.firstByteMs === null ? '-' : whole(one.firstByteMs),
      whole(one.totalMs),
      one.answerTokens === null ? '-' : String(one.answerTokens),
      {text: one.outcome, tone: one.outcome === 'ok' ? 'good' : 'bad'},
    ]),
  )
}

const whole = (ms: number) => String(Math.round(ms))
