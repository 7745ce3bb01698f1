/** What was measured of one model on one node; what could not be is absent. Times in ms, rates in tokens per second. */
export interface BenchFigures {
  /** Of the model into memory, by the node's own account. */
  readonly loadMs?: number
  /** From the request to the first piece of its answer, the model not in memory. */
  readonly firstColdMs?: number
  /** ...and in memory, of a short prompt. */
  readonly firstWarmMs?: number
  /** By the size of the prompt that was aimed at. */
  readonly prefill: readonly PrefillFigure[]
  /** Of one answer alone. */
  readonly decodeTps?: number
  /** Requests that run at once. */
  readonly slots?: number
  /** Of all answers together, by how many there were at once. */
  readonly atOnce: readonly AtOnceFigure[]
}

export interface PrefillFigure {
  readonly tokens: number
  /** As the node counted them. */
  readonly counted: number
  readonly tps: number
}

export interface AtOnceFigure {
  readonly requests: number
  readonly tps: number
  /** Of them, those that the node let wait for others. */
  readonly waited: number
}

/** One figure by name, as it is shown and compared. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: 'ms' | 'tokens/s' | 'requests'
}

/** All figures in their order; more of them may come to stand behind. */
function figuresOf(figures: BenchFigures): Figure[] {
  const {loadMs, firstColdMs, firstWarmMs, prefill, decodeTps, slots, atOnce} = figures
  const one = (name: string, value: number | undefined, unit: Figure['unit']): Figure[] =>
    value === undefined ? [] : [{name, value, unit}]
  return [
    ...one('load', loadMs, 'ms'),
    ...one('first token, cold', firstColdMs, 'ms'),
    ...one('first token, warm', firstWarmMs, 'ms'),
    ...prefill.flatMap(({tokens, tps}) => one(`prefill of ${tokens}`, tps, 'tokens/s')),
    ...one('decode', decodeTps, 'tokens/s'),
    ...one('slots', slots, 'requests'),
    ...atOnce.flatMap(({requests, tps}) => one(`${requests} at once`, tps, 'tokens/s')),
  ]
}

/** A figure beside the one of the last run; `ratio`: now to then. */
export interface ComparedFigure extends Figure {
  readonly last?: number
  readonly ratio?: number
}

/** Each figure with what it was before. */
export function compareFigures(
  now: BenchFigures,
  before: BenchFigures | undefined,
): ComparedFigure[] {
  const known = new Map(before ? figuresOf(before).map(({name, value}) => [name, value]) : [])
  return figuresOf(now).map((figure) => {
    const last = known.get(figure.name)
    return last === undefined || last <= 0 ? figure : {...figure, last, ratio: figure.value / last}
  })
}

export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]]
  return low === undefined || high === undefined ? undefined : (low + high) / 2
}

/** Once so much more is given at once, and no more than this is gained, the node is full. */
const LEAST_GAIN = 1.1

/**
 * Requests that run at once, from rounds of ever more: those of the first round in which some had to wait that did not;
 * else the most that still gave more than the round before. Undefined without a round.
 */
export function slotsFrom(rounds: readonly AtOnceFigure[]): number | undefined {
  const queued = rounds.find(({waited}) => waited > 0)
  if (queued) return Math.max(1, queued.requests - queued.waited)
  let best = rounds[0]
  for (const round of rounds) if (best && round.tps > best.tps * LEAST_GAIN) best = round
  return best?.requests
}

/** True: one more round with more at once may tell more. */
export function wantsMore(rounds: readonly AtOnceFigure[], most: number): boolean {
  const [last, before] = [rounds.at(-1), rounds.at(-2)]
  if (!last) return true
  if (last.waited > 0 || last.requests * 2 > most) return false
  return !before || last.tps > before.tps * LEAST_GAIN
}
