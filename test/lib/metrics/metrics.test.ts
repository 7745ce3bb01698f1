import {spawnSync} from 'node:child_process'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import fc from 'fast-check'
import {Histogram, Registry} from 'prom-client'
import {afterEach, expect, test} from 'vitest'
import type {FleetSample} from '../../../src/lib/cluster/fleet-sample.ts'
import {Buckets} from '../../../src/lib/metrics/buckets.ts'
import {CountedHistogram} from '../../../src/lib/metrics/counted-histogram.ts'
import {type Metrics, makeMetrics} from '../../../src/lib/metrics/metrics.ts'
import {LIMITS} from '../../../src/lib/metrics/tally.ts'
import {needs} from '../../support/needs.ts'
import {requestRecord} from '../../support/request-record.ts'

const closers: Array<() => void> = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

const FLEET: FleetSample = {
  nodes: [
    {
      name: 'alpha',
      up: true,
      version: '0.30.1',
      inFlight: 3,
      loaded: [{model: 'llama3.2:latest', sizeBytes: 2_000_000_000, vramBytes: 1_500_000_000}],
    },
    {name: 'beta', up: false, inFlight: 0, loaded: []},
  ],
  replicas: [
    {node: 'alpha', model: 'llama3.2:latest', breaker: 'closed'},
    {node: 'beta', model: 'llama3.2:latest', breaker: 'open'},
  ],
  queues: [{model: 'llama3.2:latest', depth: 4}],
}

function metricsOf(fleet: () => FleetSample = () => FLEET, dropped = 0): Metrics {
  const metrics = makeMetrics({
    version: '1.2.3',
    snapshot: fleet,
    droppedLogLines: () => dropped,
    workers: () => ({
      workers: [{place: 2, cpuSeconds: 1.5, residentBytes: 1024}],
      ended: 3,
    }),
  })
  metrics.setKnown({nodes: ['alpha', 'beta'], models: ['llama3.2:latest']})
  return metrics
}

/** The lines of these metrics, without the process's own. */
async function ours(metrics: Metrics, name = 'ollamax_'): Promise<string[]> {
  return (await metrics.scrape()).split('\n').filter((line) => line.startsWith(name))
}

test('each worker has its own CPU time and memory, and those that have ended are counted', async () => {
  expect(await ours(metricsOf(), 'ollamax_worker')).toEqual([
    'ollamax_worker_resident_memory_bytes{worker="2"} 1024',
    'ollamax_worker_cpu_seconds_total{worker="2"} 1.5',
    'ollamax_workers_ended_total 3',
  ])
})

needs('promtool')('what a scraper fetches over HTTP is found faultless by promtool', async () => {
  const metrics = metricsOf()
  const foreign = 'hf.co/a "quoted"\\back\nslash:Q4\u0007é\ud800'
  metrics.setKnown({nodes: ['alpha', 'beta'], models: ['llama3.2:latest', foreign]})
  metrics.record(requestRecord())
  metrics.record(requestRecord({model: foreign, outcome: 'cancelled'}))
  metrics.record(requestRecord({node: 'beta', attempts: 2, outcome: 'failed'}))
  metrics.record(requestRecord({outcome: 'refused', code: 'busy', attempts: 0}))
  metrics.failedAttempt('beta', 'timeout')
  const server = createServer((_request, response) => {
    response.setHeader('content-type', metrics.contentType)
    metrics.scrape().then(
      (text) => response.end(text),
      (error) => response.destroy(error),
    )
  }).listen(0, '127.0.0.1')
  closers.push(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`
  const answer = await fetch(url, {headers: {connection: 'close'}})
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  const input = await answer.text()
  for (const name of ['ollamax_requests_total', 'process_cpu_seconds_total', 'nodejs_gc_duration'])
    expect(input).toContain(name)
  const said = spawnSync('promtool', ['check', 'metrics'], {input, encoding: 'utf8'})
  expect({code: said.status, words: said.stderr}).toEqual({code: 0, words: ''})
  const spoiled = spawnSync('promtool', ['check', 'metrics'], {
    input: input.replace('# TYPE ollamax_in_flight gauge', '# TYPE ollamax_in_flight counter'),
    encoding: 'utf8',
  })
  expect(spoiled.status, 'promtool does look').not.toBe(0)
})

test('a hedge is no retry, and is counted by whether it answered', async () => {
  const metrics = metricsOf()
  metrics.record(requestRecord({attempts: 2, hedge: 'won'}))
  metrics.record(requestRecord({attempts: 2, hedge: 'lost'}))
  metrics.record(requestRecord({attempts: 3, hedge: 'lost'}))
  const lines = await ours(metrics)
  expect(lines).toEqual(
    expect.arrayContaining([
      'ollamax_attempts_total{model="llama3.2:latest"} 7',
      'ollamax_retries_total{model="llama3.2:latest"} 1',
      'ollamax_hedges_total{model="llama3.2:latest",outcome="won"} 1',
      'ollamax_hedges_total{model="llama3.2:latest",outcome="lost"} 2',
    ]),
  )
})

test('each request is counted once, under its model, node, route and outcome', async () => {
  const metrics = metricsOf()
  metrics.record(requestRecord({queueMs: 70}))
  metrics.record(requestRecord({attempts: 3}))
  metrics.record(requestRecord({outcome: 'refused', attempts: 0, code: 'busy'}, 'node'))
  metrics.record(requestRecord({route: '/api/tags'}, 'node', 'model'))
  metrics.failedAttempt('beta', 'timeout')
  metrics.failedAttempt('beta', 'timeout')
  const lines = await ours(metrics)
  expect(lines).toEqual(
    expect.arrayContaining([
      'ollamax_requests_total{model="llama3.2:latest",node="alpha",route="/api/chat",outcome="ok"} 2',
      'ollamax_requests_total{model="llama3.2:latest",node="-",route="/api/chat",outcome="refused"} 1',
      'ollamax_requests_total{model="-",node="-",route="/api/tags",outcome="ok"} 1',
      'ollamax_tokens_total{model="llama3.2:latest",node="alpha",kind="prompt"} 20',
      'ollamax_tokens_total{model="llama3.2:latest",node="alpha",kind="answer"} 40',
      'ollamax_attempts_total{model="llama3.2:latest"} 4',
      'ollamax_retries_total{model="llama3.2:latest"} 2',
      'ollamax_refused_total{reason="busy"} 1',
      'ollamax_failed_attempts_total{node="beta",kind="timeout"} 2',
      'ollamax_body_bytes_total{direction="in"} 400',
      'ollamax_body_bytes_total{direction="out"} 8000',
      'ollamax_first_byte_seconds_bucket{le="0.025",model="llama3.2:latest",node="alpha"} 0',
      'ollamax_first_byte_seconds_bucket{le="0.05",model="llama3.2:latest",node="alpha"} 2',
      'ollamax_request_seconds_sum{model="llama3.2:latest",node="alpha"} 0.8',
      'ollamax_queue_seconds_bucket{le="0.05",model="llama3.2:latest"} 2',
      'ollamax_queue_seconds_count{model="llama3.2:latest"} 3',
    ]),
  )
  expect(await ours(metrics), 'reading changes nothing').toEqual(lines)
})

test('the gauges tell what the fleet is at the moment of the scrape, and unknown as unknown', async () => {
  let fleet = FLEET
  const metrics = metricsOf(() => fleet, 7)
  expect(await ours(metrics)).toEqual(
    expect.arrayContaining([
      'ollamax_node_up{node="alpha"} 1',
      'ollamax_node_up{node="beta"} 0',
      'ollamax_node_info{node="alpha",version="0.30.1"} 1',
      'ollamax_node_info{node="beta",version="unknown"} 1',
      'ollamax_in_flight{node="alpha"} 3',
      'ollamax_model_loaded{node="alpha",model="llama3.2:latest"} 1',
      'ollamax_model_memory_bytes{node="alpha",model="llama3.2:latest"} 2000000000',
      'ollamax_model_vram_bytes{node="alpha",model="llama3.2:latest"} 1500000000',
      'ollamax_queued{model="llama3.2:latest"} 4',
      'ollamax_breaker_state{node="alpha",model="llama3.2:latest"} 0',
      'ollamax_breaker_state{node="beta",model="llama3.2:latest"} 2',
      'ollamax_log_dropped_total 7',
      `ollamax_build_info{version="1.2.3",node_version="${process.version}"} 1`,
    ]),
  )
  fleet = {...FLEET, nodes: FLEET.nodes.map((node) => ({...node, up: true, loaded: []}))}
  const later = await ours(metrics)
  expect(later).toContain('ollamax_node_up{node="beta"} 1')
  expect(later.filter((line) => line.startsWith('ollamax_model_loaded'))).toEqual([])
})

test('names that are not of the fleet share one series', async () => {
  const metrics = metricsOf()
  for (let i = 0; i < 5000; i++) metrics.record(requestRecord({model: `m${i}`, node: `n${i}`}))
  const lines = await ours(metrics, 'ollamax_requests_total')
  expect(lines).toEqual([
    'ollamax_requests_total{model="other",node="other",route="/api/chat",outcome="ok"} 5000',
  ])
})

test('however big the fleet and whatever it says, the number of series has a limit', async () => {
  const metrics = metricsOf(() => ({nodes: [], replicas: [], queues: []}))
  const nodes = Array.from({length: 60}, (_, i) => `n${i}`)
  const models = Array.from({length: 60}, (_, i) => `m${i}`)
  metrics.setKnown({nodes, models: [...models, 'x'.repeat(10_000)]})
  let sent = 0
  for (const node of nodes)
    for (const model of models) {
      const at = sent++
      metrics.record(
        requestRecord({node, model, route: `/r${at}`, outcome: 'refused', code: `c${at}`}),
      )
      metrics.failedAttempt(node, `kind${at}`)
    }
  metrics.record(requestRecord({model: 'x'.repeat(10_000)}))
  const lines = await ours(metrics)
  const of = (name: string) => lines.filter((line) => line.startsWith(name))
  expect(of('ollamax_requests_total').length).toBeLessThanOrEqual(LIMITS.cells + 60)
  expect(of('ollamax_request_seconds_count').length).toBeLessThanOrEqual(LIMITS.cells + 60)
  expect(of('ollamax_refused_total').length).toBe(LIMITS.reasons + 1)
  expect(of('ollamax_failed_attempts_total').length).toBe(60 * (LIMITS.kinds + 1))
  expect(
    new Set(of('ollamax_requests').map((line) => /route="([^"]*)"/.exec(line)?.[1])).size,
  ).toBe(LIMITS.routes + 1)
  const total = of('ollamax_requests_total').reduce(
    (sum, l) => sum + Number(l.split(' ').at(-1)),
    0,
  )
  expect(total, 'no request is lost').toBe(sent + 1)
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(600)
})

test('a node that leaves the fleet takes its series along, the others keep theirs', async () => {
  const metrics = metricsOf(() => ({nodes: [], replicas: [], queues: []}))
  metrics.record(requestRecord({node: 'alpha'}))
  metrics.record(requestRecord({node: 'beta'}))
  metrics.failedAttempt('beta', 'cut')
  metrics.setKnown({nodes: ['alpha'], models: ['llama3.2:latest']})
  const lines = await ours(metrics)
  expect(lines.filter((line) => line.includes('beta'))).toEqual([])
  expect(lines).toContain(
    'ollamax_requests_total{model="llama3.2:latest",node="alpha",route="/api/chat",outcome="ok"} 1',
  )
  metrics.setKnown({nodes: ['alpha'], models: []})
  const left = await ours(metrics)
  expect(left.filter((line) => line.includes('llama3.2'))).toEqual([])
})

test('nonsense from a node or a clock that jumps spoils no sum', async () => {
  const metrics = metricsOf()
  const bad = [Number.POSITIVE_INFINITY, Number.NaN, -5]
  for (const value of bad) {
    metrics.record(requestRecord({promptTokens: value, answerTokens: value, bytesIn: value}))
    metrics.record(requestRecord({totalMs: value, firstByteMs: value, queueMs: value}))
  }
  const lines = await ours(metrics)
  expect(lines.filter((line) => /(nan|inf|-\d+)$/i.test(line))).toEqual([])
  expect(lines).toContain(
    'ollamax_tokens_total{model="llama3.2:latest",node="alpha",kind="prompt"} 30',
  )
})

test('our histogram says the same as one of prom-client that was told each value', async () => {
  const values = fc.array(fc.integer({min: 0, max: 20_000}), {maxLength: 200})
  await fc.assert(
    fc.asyncProperty(fc.array(values, {minLength: 1, maxLength: 90}), async (perSeries) => {
      const bounds = [0.01, 0.5, 1, 2.5, 10]
      const [mine, theirs] = [new Registry(), new Registry()]
      const told = new Histogram({
        name: 'ollamax_x',
        help: 'x',
        labelNames: ['series'],
        buckets: bounds,
        registers: [theirs],
      })
      const series = perSeries.map((list, at) => {
        const buckets = new Buckets(bounds)
        told.zero({series: `${at}`})
        for (const ms of list) {
          buckets.observe(ms)
          told.observe({series: `${at}`}, ms / 1000)
        }
        return [{series: `${at}`}, buckets] as const
      })
      const ours = new CountedHistogram(mine, 'x', 'x', ['series'], () => series)
      const plain = (json: unknown) =>
        JSON.parse(JSON.stringify(json).replaceAll(',"exemplar":null', ''))
      expect(plain(await mine.getMetricsAsJSON())).toEqual(plain(await theirs.getMetricsAsJSON()))
      const pieces: string[] = []
      for await (const piece of ours.pages(mine)) pieces.push(piece)
      expect(`${pieces.join('\n')}\n`).toBe(await theirs.metrics())
    }),
    {numRuns: 25},
  )
})
