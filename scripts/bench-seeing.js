// What it costs the gateway to be seen: CPU time per request of counting, logging and tracing it, beside what the
// packages behind them would take by themselves. Medians of 5 rounds, taken in turn; the numbers go to
// docs/design/0007-seeing.md.
import {createWriteStream, openSync} from 'node:fs'
import {pino} from 'pino'
import {Counter, Histogram, Registry} from 'prom-client'
import {makeLog} from '../src/lib/log/make-log.ts'
import {makeMetrics} from '../src/lib/metrics/metrics.ts'
import {openTracing} from '../src/lib/trace/tracing.ts'

const ROUNDS = 5
const REQUESTS = 50_000

const models = Array.from({length: 10}, (_, at) => `model-${at}:latest`)
const nodes = Array.from({length: 8}, (_, at) => `node-${at}`)
const records = Array.from({length: 1000}, (_, at) => ({
  requestId: `01k9-${at}`,
  atMs: 1.8e12 + at,
  method: 'POST',
  route: at % 2 ? '/api/chat' : '/v1/chat/completions',
  dialect: at % 2 ? 'ollama' : 'openai',
  key: 'key-1',
  model: models[at % 10],
  node: nodes[(at * 7) % 8],
  status: 200,
  outcome: 'ok',
  attempts: 1,
  queueMs: 0,
  firstByteMs: (at * 37) % 200,
  totalMs: (at * 91) % 4000,
  promptTokens: 10,
  answerTokens: 20,
  bytesIn: 100,
  bytesOut: 2000,
  reason: 'warm, free',
}))

const metrics = makeMetrics({
  version: '0',
  snapshot: () => ({nodes: [], replicas: [], queues: []}),
  droppedLogLines: () => 0,
})
metrics.setKnown({nodes, models})

const prom = promClient()
const toNull = () => createWriteStream('', {fd: openSync('/dev/null', 'w')})
const log = makeLog({stream: toNull()})
const pinoAlone = pino(
  {base: null},
  pino.destination({dest: '/dev/null', sync: false, minLength: 16_000}),
)
const off = await openTracing({env: {}, version: '0', onTrouble() {}})
// Nobody answers there: what is measured is the making of spans, most of which are then dropped.
const on = await openTracing({
  env: {OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1'},
  version: '0',
  onTrouble() {},
})
const traced = (tracing) => (record) => {
  const trace = tracing.startTrace({})
  trace.attempt(record.node).end({status: 200})
  trace.end(record)
}

const ways = {
  'count: ours, shown by prom-client': (record) => metrics.record(record),
  'count: prom-client, labels as objects': prom.objects,
  'count: prom-client, labels bound once': prom.bound,
  'log: ours, built by hand': (record) => log.access(record),
  'log: pino and its own destination': (record) => pinoAlone.info(record, 'request'),
  'trace: off': traced(off),
  'trace: on': traced(on),
}
const took = Object.fromEntries(Object.keys(ways).map((name) => [name, []]))
for (let round = -1; round < ROUNDS; round++)
  for (const [name, way] of Object.entries(ways)) {
    const before = process.cpuUsage()
    for (let at = 0; at < REQUESTS; at++) {
      way(records[at % records.length])
      if (at % 1000 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    const {user, system} = process.cpuUsage(before)
    // The first round warms up.
    if (round >= 0) took[name].push(((user + system) * 1000) / REQUESTS)
  }
for (const [name, list] of Object.entries(took))
  console.log(
    `${name.padEnd(40)} ${String(Math.round(list.sort((a, b) => a - b)[ROUNDS >> 1])).padStart(6)} ns`,
  )

// A scrape of the biggest fleet that is counted apart: how long it takes, and how long others wait meanwhile at most.
const many = Array.from({length: 50}, (_, at) => `model-${at}:latest`)
const big = Array.from({length: 20}, (_, at) => `node-${at}`)
metrics.setKnown({nodes: big, models: many})
for (const node of big) for (const model of many) metrics.record({...records[0], node, model})
const scrapes = []
for (let round = 0; round <= ROUNDS; round++) {
  let [longest, last, watching] = [0, performance.now(), true]
  const watch = () => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
    if (watching) setImmediate(watch)
  }
  watch()
  const before = process.cpuUsage()
  const lines = (await metrics.scrape()).split('\n').length
  const {user, system} = process.cpuUsage(before)
  watching = false
  if (round > 0) scrapes.push({lines, cpuMs: (user + system) / 1000, longest})
}
const {lines, cpuMs, longest} = scrapes.sort((a, b) => a.longest - b.longest)[ROUNDS >> 1]
console.log(
  `scrape of ${lines} lines: ${cpuMs.toFixed(0)} ms of CPU, others wait ${longest.toFixed(0)} ms at most`,
)
process.exit(0)

/** The same metrics, counted by prom-client itself. */
function promClient() {
  const registers = [new Registry()]
  const help = 'x'
  const counter = (name, ...labelNames) => new Counter({name, help, labelNames, registers})
  const histogram = (name, ...labelNames) =>
    new Histogram({
      name,
      help,
      labelNames,
      registers,
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
    })
  const requests = counter('requests', 'model', 'node', 'route', 'outcome')
  const tokens = counter('tokens', 'model', 'node', 'kind')
  const attempts = counter('attempts', 'model')
  const first = histogram('first', 'model', 'node')
  const request = histogram('request', 'model', 'node')
  const queue = histogram('queue', 'model')
  const children = new Map()
  const childrenOf = ({model, node, route, outcome}) => {
    const name = `${model}|${node}|${route}|${outcome}`
    const found = children.get(name)
    if (found) return found
    const made = {
      requests: requests.labels({model, node, route, outcome}),
      prompt: tokens.labels({model, node, kind: 'prompt'}),
      answer: tokens.labels({model, node, kind: 'answer'}),
      first: first.labels({model, node}),
      request: request.labels({model, node}),
      queue: queue.labels({model}),
      attempts: attempts.labels({model}),
    }
    children.set(name, made)
    return made
  }
  return {
    objects(record) {
      const {model, node, route, outcome} = record
      requests.inc({model, node, route, outcome})
      tokens.inc({model, node, kind: 'prompt'}, record.promptTokens)
      tokens.inc({model, node, kind: 'answer'}, record.answerTokens)
      first.observe({model, node}, record.firstByteMs / 1000)
      request.observe({model, node}, record.totalMs / 1000)
      queue.observe({model}, record.queueMs / 1000)
      attempts.inc({model}, record.attempts)
    },
    bound(record) {
      const of = childrenOf(record)
      of.requests.inc()
      of.prompt.inc(record.promptTokens)
      of.answer.inc(record.answerTokens)
      of.first.observe(record.firstByteMs / 1000)
      of.request.observe(record.totalMs / 1000)
      of.queue.observe(record.queueMs / 1000)
      of.attempts.inc(record.attempts)
    },
  }
}
