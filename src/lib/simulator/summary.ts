import type {Run} from './simulate.ts'

/** Mean and quantiles in ms; what failed took for ever. */
export function summaryOf({times, failed, makespanMs, loads}: Omit<Run, 'sent' | 'answered'>) {
  return {...spreadOf(times, failed), makespan: makespanMs, loads, failed}
}

/** Mean of the times, and quantiles of them and of so many that took for ever. */
export function spreadOf(times: readonly number[], failed: number) {
  const sorted = times.toSorted((a, b) => a - b)
  const count = sorted.length + failed
  const at = (share: number) => sorted[Math.ceil(share * count) - 1] ?? Number.POSITIVE_INFINITY
  const mean = sorted.reduce((sum, ms) => sum + ms, 0) / Math.max(1, sorted.length)
  return {mean, p50: at(0.5), p95: at(0.95), p99: at(0.99)}
}

/** Each field as the mean over all. */
export function meanOf<K extends string>(all: ReadonlyArray<Readonly<Record<K, number>>>) {
  const fields = Object.keys(all[0] ?? {}) as K[]
  const mean = (field: K) => all.reduce((sum, one) => sum + one[field], 0) / all.length
  return Object.fromEntries(fields.map((field) => [field, mean(field)])) as Record<K, number>
}
