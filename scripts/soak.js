// Mixed load with faults on `ollamax serve` for a long time: does its memory stay flat, do its sockets come back to
// what they were before? Not part of the tests; docs/benchmarks.md says more.
//   npm run soak -- [--minutes 60] [--node-ports 21501,21502,21503 --target URL [--key KEY]]
import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {parseArgs} from 'node:util'
import {
  buildPrograms,
  memoryMbOf,
  needTools,
  openFiles,
  Processes,
  startNodes,
  treeOf,
} from './bench-gateway/machine.js'
import {runOnce, show} from './bench-gateway/measure.js'
import {startTargets} from './bench-gateway/targets.js'
import {calm} from './bench-gateway/works.js'

const gatewayCore = 0
const loadCore = 1
const sliceMs = 20_000
const sampleMs = 5000
/** After the load: kept connections may stay for as long as their keep-alive says. */
const settleMs = 180_000

const {values: flags} = parseArgs({
  options: {
    minutes: {type: 'string', default: '60'},
    'node-ports': {type: 'string', default: ''},
    target: {type: 'string'},
    key: {type: 'string'},
  },
})
const minutes = Number(flags.minutes)
if (!(minutes > 0)) throw new Error('--minutes must be a number above 0')

/** What runs at the same time in every slice; `quit` are clients that lose patience in the middle of a stream. */
const mix = {
  chat: {api: 'chat', stream: true, connections: 30, promptBytes: 400, tokens: 40},
  openai: {api: 'openai', stream: true, connections: 10, promptBytes: 400, tokens: 40},
  whole: {api: 'generate', connections: 300, perSecond: 30, promptBytes: 200, tokens: 4},
  large: {api: 'chat', connections: 50, perSecond: 2, promptBytes: 128 * 1024, tokens: 8},
  quit: {api: 'chat', stream: true, connections: 5, promptBytes: 200, tokens: 40, timeoutMs: 150},
}
const normal = {...calm, firstMs: 30, gapMs: 8, slots: 24, queue: 100}
/** The one that is told of these slots. */
const gateway = 'ollamax-24'
/** Slice by slice, each on the next node. */
const faults = [
  {},
  {fault: 'refuse'},
  {fault: '500'},
  {fault: 'reset'},
  {fault: 'hang'},
  {fault: 'reset', faultAfter: 5},
  {fault: '500', faultAfter: 5},
  {fault: 'hang', faultAfter: 5},
  {speed: 0.2},
]

needTools(['go', 'taskset'])
const dir = mkdtempSync(join(tmpdir(), 'soak-'))
const processes = new Processes(dir)
const ending = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ending.abort())

try {
  const programs = await buildPrograms(dir)
  const nodes = await startNodes(processes, programs.node, loadCore, flags['node-ports'])
  const targets = await startTargets({
    processes,
    closers: [],
    nodes,
    wanted: [gateway],
    given: flags.target ? [[gateway, flags.target]] : [],
    keys: {[gateway]: flags.key},
    dir,
    core: gatewayCore,
  })
  await soak(programs.load, nodes, targets.get(gateway))
} finally {
  await processes.close()
  rmSync(dir, {recursive: true, force: true})
}

async function soak(program, nodes, target) {
  await pause(2000)
  const base = await state(target)
  const kinds = Object.keys(mix)
  console.log(`before: ${tell(base)}`)
  const samples = []
  const counts = {answered: 0, failed: 0, left: 0, errors: {}}
  const began = performance.now()
  const minutesSince = () => (performance.now() - began) / 60_000
  const stop = new AbortController()
  const sampling = (async () => {
    while (!stop.signal.aborted) {
      samples.push({atMinute: minutesSince(), ...(await state(target))})
      await sleep(sampleMs, undefined, {signal: stop.signal}).catch(() => {})
    }
  })()
  for (let slice = 0; minutesSince() < minutes && !ending.signal.aborted; slice++) {
    const fault = faults[slice % faults.length]
    await behave(nodes.control, fault, (slice % nodes.nodes.length) + 1)
    const results = await Promise.all(
      Object.values(mix).map((plan) => drive(program, plan, target)),
    )
    for (const [i, {answered, failed, errors}] of results.entries()) {
      if (kinds[i] === 'quit') {
        counts.left += failed
        continue
      }
      counts.answered += answered
      counts.failed += failed
      for (const [why, n] of Object.entries(errors))
        counts.errors[why] = (counts.errors[why] ?? 0) + n
    }
    console.log(
      `${minutesSince().toFixed(1).padStart(6)} min  ${tell(samples.at(-1))}  answered ${counts.answered}  failed ${counts.failed}  ${JSON.stringify(fault)}`,
    )
  }
  stop.abort()
  await sampling
  await behave(nodes.control, {}, 1)
  verdict(samples, base, await settled(target, base), counts)
}

/** One slice of one kind; the load program is not to touch the nodes' behaviour. */
function drive(program, plan, target) {
  const work = {plan: {timeoutMs: 20_000, ...plan, warmMs: 0, forMs: sliceMs}}
  return runOnce(program, loadCore, work, target, '')
}

async function behave(control, fault, node) {
  const put = async (path, body) => {
    const answer = await fetch(control + path, {method: 'PUT', body: JSON.stringify(body)})
    if (!answer.ok) throw new Error(`nodes: ${await answer.text()}`)
  }
  await put('/nodes', normal)
  await put(`/nodes/${node}`, fault)
}

/** Waits until the target has no more sockets than at the start, or no longer. */
async function settled(target, base) {
  const deadline = performance.now() + settleMs
  for (;;) {
    const now = await state(target)
    if (now.sockets <= base.sockets || performance.now() > deadline || ending.signal.aborted)
      return now
    await pause(2000)
  }
}

async function state({pids, urls, key}) {
  const all = treeOf(pids)
  const sockets = all.flatMap(openFiles).filter((file) => file.startsWith('socket:'))
  const timers = await timersOf(urls[0], key)
  return {rssMb: memoryMbOf(all), sockets: sockets.length, timers}
}

/** As the gateway itself says in its metrics; undefined where it does not. */
async function timersOf(url, key) {
  const headers = {connection: 'close', ...(key ? {authorization: `Bearer ${key}`} : {})}
  const signal = AbortSignal.timeout(2000)
  const text = await fetch(`${url}/metrics`, {headers, signal})
    .then((answer) => (answer.ok ? answer.text() : ''))
    .catch(() => '')
  const found = /^nodejs_active_resources\{[^}]*type="Timeout"[^}]*\} (\d+)/m.exec(text)
  return found ? Number(found[1]) : undefined
}

function verdict(samples, base, end, counts) {
  const warmMinutes = Math.min(10, minutes / 4)
  const slope = slopeOf(samples.filter((sample) => sample.atMinute > warmMinutes))
  console.log(`after:  ${tell(end)}`)
  console.log(
    `requests: ${counts.answered} answered, ${counts.failed} failed, ${counts.left} given up by the client`,
  )
  for (const [why, n] of Object.entries(counts.errors)) console.log(`  ${n} x ${why}`)
  const flat = slope !== undefined && slope < 1
  const back = end.sockets <= base.sockets
  console.log(
    `resident memory after ${warmMinutes} min: ${slope === undefined ? 'unknown' : `${slope.toFixed(2)} MB/min`} (goal < 1): ${flat ? 'yes' : 'NO'}`,
  )
  console.log(
    `sockets at the end ${end.sockets}, before ${base.sockets}: ${back ? 'yes' : 'NO'}; timers ${end.timers ?? 'unknown'}, before ${base.timers ?? 'unknown'}`,
  )
  if (!flat || !back) process.exitCode = 1
}

/** MB per minute by least squares. */
function slopeOf(samples) {
  if (samples.length < 3) return undefined
  const mean = (pick) => samples.reduce((sum, sample) => sum + pick(sample), 0) / samples.length
  const x = mean(({atMinute}) => atMinute)
  const y = mean(({rssMb}) => rssMb)
  const up = mean(({atMinute, rssMb}) => (atMinute - x) * (rssMb - y))
  return up / mean(({atMinute}) => (atMinute - x) ** 2)
}

function tell({rssMb, sockets, timers}) {
  return `resident ${show(rssMb)} MB  sockets ${sockets}  timers ${timers ?? 'unknown'}`
}

function pause(ms) {
  return sleep(ms, undefined, {signal: ending.signal}).catch(() => {})
}
