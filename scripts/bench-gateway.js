// Measures `ollamax serve` beside nginx and HAProxy, all in front of the same stand-in nodes: docs/benchmarks.md.
//   npm run bench:gateway -- [--only small32,lat1] [--rounds 5] [--direct] [--workers] [--cores 0,1] [--json]
//   npm run bench:gateway -- --node-ports 21501,21502,21503 --target NAME=URL [--key NAME=KEY]
import {mkdtempSync, rmSync} from 'node:fs'
import {cpus, tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {parseArgs} from 'node:util'
import {buildPrograms, needTools, Processes, pin, startNodes} from './bench-gateway/machine.js'
import {at, judge, middle, runOnce, show} from './bench-gateway/measure.js'
import {startTargets, toolsOf} from './bench-gateway/targets.js'
import {works} from './bench-gateway/works.js'

const {values: flags} = parseArgs({
  options: {
    only: {type: 'string'},
    rounds: {type: 'string', default: '5'},
    target: {type: 'string', multiple: true, default: []},
    key: {type: 'string', multiple: true, default: []},
    'node-ports': {type: 'string', default: ''},
    cores: {type: 'string', default: '0,1'},
    direct: {type: 'boolean', default: false},
    workers: {type: 'boolean', default: false},
    json: {type: 'boolean', default: false},
  },
})
const given = flags.target.map(pair)
const ours = given[0]?.[0] ?? 'ollamax'
/** Which target a work judges: a given one stands for every gateway of ours, but has no node behind SSH. */
const judgedOf = ({ours: own = ours}) => (given.length > 0 && own !== 'over-ssh' ? ours : own)
const every = Object.keys(works).filter(
  (name) => given.length === 0 || judgedOf(works[name]) === ours,
)
const chosen = flags.only?.split(',') ?? every
for (const name of chosen)
  if (!works[name])
    throw new Error(`--only: no work ${name}; there are ${Object.keys(works).join(', ')}`)
const rounds = Number(flags.rounds)
if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds must be a number from 1')
const [gatewayCore, loadCore] = flags.cores.split(',').map(Number)
if (![gatewayCore, loadCore].every((core) => core >= 0 && core < cpus().length))
  throw new Error('--cores must be two cores of this machine, such as 0,1')
const keys = Object.fromEntries(flags.key.map(pair))
const extra = [
  ...given.slice(1).map(([name]) => name),
  ...(flags.direct ? ['direct'] : []),
  ...(flags.workers ? ['workers-2'] : []),
]
const targetsOf = (work) => [...new Set([judgedOf(work), ...work.peers, ...extra])]
const wanted = [...new Set(chosen.flatMap((name) => targetsOf(works[name])))]
const progress = (text) => process.stderr.write(`${text}\n`)

needTools(['go', 'taskset', ...wanted.flatMap((name) => toolsOf[name] ?? [])])
const dir = mkdtempSync(join(tmpdir(), 'bench-gateway-'))
const processes = new Processes(dir)
const closers = []
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    void finish().then(() => process.exit(1))
  })

try {
  await pin([process.pid], loadCore)
  const programs = await buildPrograms(dir)
  const nodes = await startNodes(processes, programs.node, loadCore, flags['node-ports'])
  const targets = await startTargets({
    processes,
    closers,
    nodes,
    wanted,
    given,
    keys,
    dir,
    core: gatewayCore,
  })
  const report = []
  for (const name of chosen) {
    const results = await measure(name, targets, programs.load, nodes.control)
    report.push({
      name,
      about: works[name].about,
      results,
      goals: judge(works[name], results, judgedOf(works[name])),
    })
    if (!flags.json) printWork(report.at(-1))
  }
  if (flags.json) console.log(JSON.stringify(report.map(plain), undefined, 2))
  else printGoals(report)
} finally {
  await finish()
}

async function finish() {
  await processes.close()
  for (const close of closers) await close()
  rmSync(dir, {recursive: true, force: true})
}

/** Every round drives each target once; no target always follows the same other one. */
async function measure(name, targets, program, control) {
  const work = works[name]
  const able = targetsOf(work).map((one) => targets.get(one))
  const results = new Map(able.map((target) => [target.name, []]))
  for (let round = 0; round < Math.min(rounds, work.rounds ?? rounds); round++)
    for (let i = 0; i < able.length; i++) {
      const target = able[(i + round) % able.length]
      const result = await runOnce(program, loadCore, work, target, control)
      results.get(target.name).push(result)
      const figures = work.show.map((path) => `${path} ${show(at(result, path))}`)
      progress(`${name} ${round + 1} ${target.name.padEnd(9)} ${figures.join('  ')}`)
      await sleep(200)
    }
  return results
}

function printWork({name, about, results}) {
  console.log(`\n${name}: ${about}`)
  for (const [target, runs] of results) {
    const figures = works[name].show.map((path) => `${path} ${show(middle(runs, path))}`)
    console.log(`  ${target.padEnd(10)} ${figures.join('  ')}`)
    const errors = Object.entries(allErrors(runs))
    if (errors.length > 0)
      console.log(`  ${''.padEnd(10)} ${errors.map(([why, n]) => `${n} x ${why}`).join(', ')}`)
    if (middle(runs, 'ownCores') > 0.95)
      console.log(
        `  ${''.padEnd(10)} the nodes and the load had no more CPU: they are the limit here`,
      )
    const others = middle(runs, 'othersCores')
    if (others > 0.15)
      console.log(`  ${''.padEnd(10)} noisy: other processes used ${show(others)} cores meanwhile`)
  }
}

function printGoals(report) {
  console.log(
    `\n${'work'.padEnd(12)} ${`goal for ${ours}`.padEnd(42)} ${'measured'.padStart(9)}  reached`,
  )
  for (const {name, goals} of report)
    for (const {goal, measured, reached} of goals)
      console.log(
        `${name.padEnd(12)} ${goal.padEnd(42)} ${show(measured).padStart(9)}  ${reached === undefined ? 'unknown' : reached ? 'yes' : 'NO'}`,
      )
}

function allErrors(runs) {
  const all = {}
  for (const {errors} of runs)
    for (const [why, n] of Object.entries(errors)) all[why] = (all[why] ?? 0) + n
  return all
}

function plain({name, about, results, goals}) {
  return {work: name, about, goals, runs: Object.fromEntries(results)}
}

function pair(text) {
  const i = text.indexOf('=')
  if (i < 1) throw new Error(`${text} is not NAME=VALUE`)
  return [text.slice(0, i), text.slice(i + 1)]
}
