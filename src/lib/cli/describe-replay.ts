import type {ReplayedRoute} from '../jobs/replay-route.ts'
import {type Cell, table} from './output.ts'

const COLUMNS = [
  ...['POLICY', 'FIRST MEAN', 'P50', 'P95', 'P99', 'TOTAL MEAN', 'P50', 'P95', 'P99'],
  ...['MAKESPAN MS', 'FAILED', 'LOADS', 'SHARES'],
]

type Row = ReplayedRoute['measured'] & {readonly failed?: number; readonly loads?: number}

/** A row for what was measured, then one for each policy. */
export function describeReplay({measured, replayed}: ReplayedRoute): Promise<string> {
  const others = replayed.map((one): Cell[] => [one.policy, ...cellsOf(one)])
  return table(COLUMNS, [[{text: 'measured', tone: 'dim'}, ...cellsOf(measured)], ...others])
}

function cellsOf({first, total, makespanMs, failed, loads, shares}: Row): Cell[] {
  return [
    ...[first, total].flatMap(({mean, p50, p95, p99}) => [mean, p50, p95, p99].map(whole)),
    ...[makespanMs, failed ?? null, loads ?? null].map(whole),
    shares.map(({node, share}) => `${node}=${share}`).join(' ') || '-',
  ]
}

/** What has to be known to read the figures, a line each. */
export function replayNotes(result: ReplayedRoute): string[] {
  const {requests, leftOut, unknown, policy, cannotKnow} = result
  const left = leftOut.map(({why, count}) => `${count} ${why}`).join(', ')
  return [
    `${requests} requests replayed${left ? `; left out: ${left}` : ''}; recorded under ${policy}`,
    ...unknown.map(
      ({node, model, what}) =>
        `not known: ${what.join(', ')} of ${model} on ${node}; the other nodes' mean or a rule of thumb stands for it`,
    ),
    ...(requests > 0 ? cannotKnow.map((words) => `a replay cannot know: ${words}`) : []),
  ]
}

const whole = (value: number | null) => (value === null ? '-' : String(Math.round(value)))
