// `npm run sim [-- NAME...]`: every policy over every simulated fleet, beside what nobody could beat.
import {POLICY_NAMES} from '../src/lib/balancer/policies.ts'
import {boundOf} from './sim/bound.ts'
import {fleets} from './sim/fleets.ts'
import {simulate} from './sim/simulate.ts'

const SEED = Number(process.env.SEED ?? 7)
const wanted = process.argv.slice(2)
const seconds = (ms: number) => (ms / 1000).toFixed(2).padStart(9)

for (const fleet of fleets(SEED)) {
  if (wanted.length > 0 && !wanted.some((word) => fleet.name.includes(word))) continue
  console.log(`\n${fleet.name}: ${fleet.about}; ${fleet.arrivals.length} requests`)
  console.log(`${'seconds'.padEnd(15)}     mean      p50      p95      p99 makespan  loads failed`)
  for (const policy of process.env.POL
    ? (process.env.POL.split(',') as typeof POLICY_NAMES)
    : POLICY_NAMES) {
    const run = simulate(fleet, policy, SEED)
    const sorted = run.times.toSorted((a, b) => a - b)
    const mean = sorted.reduce((sum, ms) => sum + ms, 0) / Math.max(1, sorted.length)
    const at = (share: number) =>
      sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
    const row = [mean, at(0.5), at(0.95), at(0.99), run.makespanMs].map(seconds).join('')
    console.log(
      `${policy.padEnd(15)}${row}${String(run.loads).padStart(7)}${String(run.failed).padStart(7)}`,
    )
  }
  const bound = boundOf(fleet)
  const row = [
    bound.meanMs,
    bound.quantile(0.5),
    bound.quantile(0.95),
    bound.quantile(0.99),
    bound.makespanMs,
  ]
  console.log(`${'bound'.padEnd(15)}${row.map(seconds).join('')}`)
}
