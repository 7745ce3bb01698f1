// `npm run sim -- [--seeds N] [--policy NAME] [FLEET...]`: every policy over every simulated fleet whose name holds one of
// the words, beside what nobody could beat, and what one decision costs. Figures are means over the seeds 1...N, and the
// same each time.
import {parseArgs} from 'node:util'
import {POLICY_NAMES, policyNamed} from '../src/lib/balancer/policies.ts'
import {simulate} from '../src/lib/simulator/simulate.ts'
import {meanOf, summaryOf} from '../src/lib/simulator/summary.ts'
import {boundOf} from './sim/bound.ts'
import {FLEETS} from './sim/fleets.ts'
import {timeDecision} from './sim/time-decision.ts'

const {values, positionals} = parseArgs({
  allowPositionals: true,
  options: {seeds: {type: 'string', default: '3'}, policy: {type: 'string'}},
})
const seeds = Array.from({length: Number(values.seeds)}, (_, at) => at + 1)
const policies = values.policy === undefined ? POLICY_NAMES : [policyNamed(values.policy)]
const seconds = (ms: number) => (Number.isFinite(ms) && ms > 0 ? (ms / 1000).toFixed(2) : '-')
const cells = (words: readonly string[]) => words.map((word) => word.padStart(10)).join('')
const HEAD = cells(['mean', 'p50', 'p95', 'p99', 'makespan', 'loads', 'failed', 'p95/bound'])

for (const [name, make] of Object.entries(FLEETS)) {
  if (positionals.length > 0 && !positionals.some((word) => name.includes(word))) continue
  const fleets = seeds.map((seed) => make(seed))
  const bound = meanOf(fleets.map(boundOf))
  console.log(`\n${name}: ${fleets[0]?.about}; ${fleets[0]?.arrivals.length} requests`)
  console.log(`${'seconds'.padEnd(14)}${HEAD}`)
  for (const policy of policies) {
    const runs = fleets.map((fleet, at) => summaryOf(simulate(fleet, policy, at + 1)))
    const {mean, p50, p95, p99, makespan, loads, failed} = meanOf(runs)
    const times = [mean, p50, p95, p99, makespan].map(seconds)
    const rest = [loads.toFixed(0), failed.toFixed(1), (p95 / bound.p95).toFixed(2)]
    console.log(`${policy.padEnd(14)}${cells([...times, ...rest])}`)
  }
  const {mean, p50, p95, p99, makespan} = bound
  console.log(`${'bound'.padEnd(14)}${cells([mean, p50, p95, p99, makespan].map(seconds))}`)
}

if (positionals.length === 0) {
  console.log('\nsubmit, began and settle of one request, microseconds:')
  for (const nodes of [3, 10, 100, 1000])
    console.log(`${String(nodes).padStart(6)} nodes ${timeDecision(nodes).toFixed(1).padStart(8)}`)
}
