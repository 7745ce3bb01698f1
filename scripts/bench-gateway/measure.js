// Runs the load program, and makes medians and ratios of what it says.
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {text} from 'node:stream/consumers'
import {calm} from './works.js'

/**
 * One run of a work against a target {name, urls, key, pids} on the core where the nodes are. With control '' the nodes
 * are left as they are.
 */
export async function runOnce(program, core, work, target, control) {
  const {name: _, ...rest} = target
  const plan = {
    timeoutMs: 30_000,
    ...work.plan,
    ...(control ? {control, behaviour: {...calm, ...work.plan.behaviour}} : {}),
    target: {model: 'bench:latest', ...rest},
  }
  const child = spawn('taskset', ['-c', String(core), program], {stdio: ['pipe', 'pipe', 'pipe']})
  child.stdin.end(JSON.stringify(plan))
  const [out, said] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  if (child.exitCode !== 0)
    throw new Error(said.trim() || `the load program ended by ${child.signalCode}`)
  return JSON.parse(out)
}

/** The number at a path like `addedUs.p50`; undefined where it was not measured. */
export function at(result, path) {
  const found = path.split('.').reduce((part, key) => part?.[key], result)
  return typeof found === 'number' ? found : undefined
}

/**
 * The median over the rounds. Failures, lost and late tokens are added up instead: none may hide in a round that is
 * not the middle one. Of resident memory the most counts, for it is what a machine must have.
 */
export function middle(results, path) {
  const all = results.map((result) => at(result, path)).filter((n) => n !== undefined)
  if (all.length === 0) return undefined
  if (['failed', 'tokensLost', 'tokensLate'].includes(path)) return all.reduce((a, b) => a + b)
  if (path === 'rssMb') return Math.max(...all)
  all.sort((a, b) => a - b)
  return (all[(all.length - 1) >> 1] + all[all.length >> 1]) / 2
}

/** Judges the goals of a work from the results by target: [{text, limit, measured, reached}]. */
export function judge(work, results, ours) {
  return work.goals.map(({of, beside, op, limit}) => {
    const mine = middle(results.get(ours) ?? [], of)
    const theirs = beside && middle(results.get(beside) ?? [], of)
    const measured = beside ? (mine !== undefined && theirs ? mine / theirs : undefined) : mine
    return {
      goal: beside ? `${of} ${op} ${limit} x ${beside}` : `${of} ${op} ${limit}`,
      measured,
      reached:
        measured === undefined ? undefined : op === '<=' ? measured <= limit : measured >= limit,
    }
  })
}

/** A number in as many digits as it deserves. */
export function show(n) {
  if (n === undefined) return '-'
  if (n === 0 || Math.abs(n) >= 100) return n.toFixed(0)
  return n.toFixed(Math.abs(n) >= 10 ? 1 : 2)
}
