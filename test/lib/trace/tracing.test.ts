import type {ServerResponse} from 'node:http'
import {expect, test} from 'vitest'
import {openTracing, type Tracing} from '../../../src/lib/trace/tracing.ts'
import {collector, plain} from '../../support/collector.ts'
import {requestRecord} from '../../support/request-record.ts'
import {waitFor} from '../../support/wait-for.ts'

async function open(env: Readonly<Record<string, string>>) {
  const trouble: string[] = []
  const tracing = await openTracing({
    env,
    version: '1.2.3',
    onTrouble: (words) => trouble.push(words),
  })
  return {tracing, trouble}
}

/** One request that fails on alpha and is answered by beta. */
function failover(tracing: Tracing, headers: Readonly<Record<string, string>> = {}) {
  const trace = tracing.startTrace(headers)
  const first = trace.attempt('alpha')
  first.end({failure: 'unreachable'})
  const second = trace.attempt('beta')
  second.end({status: 200})
  trace.end(requestRecord({node: 'beta', attempts: 2, reason: 'warm, free'}))
  return [first.headers, second.headers]
}

const CALLER = {
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'vendor=1',
}

test("a request's span lies within the caller's, its attempts within it, and each node is told", async () => {
  const {env, spans, heads, bodies} = await collector()
  const {tracing, trouble} = await open(env)
  const sent = failover(tracing, CALLER)
  await tracing.close()
  expect(trouble).toEqual([])
  expect(heads).toEqual(['POST /v1/traces application/json'])
  const [alpha, beta, request, ...more] = spans()
  expect(more).toEqual([])
  if (!(alpha && beta && request)) throw new Error('three spans were expected')
  for (const span of [alpha, beta, request])
    expect(span.traceId).toBe('0af7651916cd43dd8448eb211c80319c')
  expect(request).toMatchObject({name: 'POST /api/chat', kind: 2, parentSpanId: 'b7ad6b7169203331'})
  for (const span of [alpha, beta])
    expect(span).toMatchObject({name: 'attempt', kind: 3, parentSpanId: request.spanId})
  expect(sent).toEqual(
    [alpha, beta].map(({traceId, spanId}) => ({
      traceparent: `00-${traceId}-${spanId}-01`,
      tracestate: 'vendor=1',
    })),
  )
  expect(alpha.status.code).toBe(2)
  expect(plain(alpha.attributes)).toEqual({'ollamax.node': 'alpha', 'error.type': 'unreachable'})
  expect(plain(beta.attributes)).toEqual({'ollamax.node': 'beta', 'http.response.status_code': 200})
  expect(plain(request.attributes)).toEqual({
    'http.request.method': 'POST',
    'http.route': '/api/chat',
    'http.response.status_code': 200,
    'gen_ai.request.model': 'llama3.2:latest',
    'gen_ai.usage.input_tokens': 10,
    'gen_ai.usage.output_tokens': 20,
    'ollamax.request_id': 'req-1',
    'ollamax.node': 'beta',
    'ollamax.outcome': 'ok',
    'ollamax.attempts': 2,
    'ollamax.queue_ms': 0,
    'ollamax.first_byte_ms': 30,
    'ollamax.reason': 'warm, free',
  })
  expect(request.status.code ?? 0).toBe(0)
  expect(BigInt(request.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(alpha.startTimeUnixNano))
  expect(plain(bodies[0]?.resourceSpans[0]?.resource.attributes ?? [])).toMatchObject({
    'service.name': 'ollamax',
    'service.version': '1.2.3',
  })
})

test('a request without a trace begins one, and nonsense in its place is none', async () => {
  const {env, spans} = await collector()
  const {tracing} = await open(env)
  failover(tracing)
  failover(tracing, {traceparent: '00-00000000000000000000000000000000-b7ad6b7169203331-01'})
  failover(tracing, {traceparent: `${CALLER.traceparent}\u0000${'x'.repeat(100_000)}`})
  await tracing.close()
  const requests = spans().filter((span) => span.kind === 2)
  expect(requests).toHaveLength(3)
  expect(new Set(requests.map((span) => span.traceId)).size).toBe(3)
  for (const span of requests) expect(span.parentSpanId ?? '').toBe('')
})

test('who asks not to be sampled is not, and the nodes hear of it', async () => {
  const {env, spans} = await collector()
  const {tracing} = await open(env)
  const sent = failover(tracing, {traceparent: CALLER.traceparent.replace(/01$/, '00')})
  for (const {traceparent} of sent)
    expect(traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/)
  const none = await open({...env, OTEL_TRACES_SAMPLER: 'always_off'})
  failover(none.tracing, CALLER)
  await Promise.all([tracing.close(), none.tracing.close()])
  expect(spans()).toEqual([])
})

test.each([
  {},
  {OTEL_EXPORTER_OTLP_ENDPOINT: ''},
  {OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_SDK_DISABLED: 'true'},
  {OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_TRACES_EXPORTER: 'none'},
])('with %j nothing is traced and the same nothing is handed out each time', async (env) => {
  const {tracing} = await open(env as Readonly<Record<string, string>>)
  expect(tracing.startTrace(CALLER)).toBe(tracing.startTrace({}))
  expect(failover(tracing, CALLER)).toEqual([{}, {}])
  await tracing.close()
})

test('an endpoint that is no URL is an error that says so', async () => {
  const opening = open({OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318'})
  await expect(opening).rejects.toMatchObject({code: 'BAD_INPUT'})
})

test('while the collector hangs, what waits for it is bounded and nobody else waits', async () => {
  const waiting: ServerResponse[] = []
  let open_ = false
  const {env, spans, heads} = await collector((response) => {
    if (open_) response.end('{}')
    else waiting.push(response)
  })
  const {tracing} = await open(env)
  const one = () => tracing.startTrace({}).end(requestRecord())
  for (let at = 0; at < 600; at++) one()
  await waitFor('the first batch', () => waiting.length > 0)
  for (let at = 0; at < 6000; at++) one()
  expect(heads.length, 'one batch is under way').toBe(1)
  open_ = true
  for (const response of waiting) response.end('{}')
  await tracing.close()
  expect(spans().length).toBeGreaterThan(2000)
  expect(spans().length).toBeLessThanOrEqual(512 + 2048)
})

test('a collector that refuses is reported once, and closing waits no longer than it must', async () => {
  const {env} = await collector((response) => {
    response.statusCode = 400
    response.end()
  })
  const {tracing, trouble} = await open(env)
  for (let at = 0; at < 1200; at++) tracing.startTrace({}).end(requestRecord())
  await waitFor('the report', () => trouble.length > 0)
  const began = performance.now()
  await tracing.close()
  expect(performance.now() - began).toBeLessThan(5000)
  expect(trouble).toEqual([expect.stringMatching(/^traces cannot be delivered and are dropped: /)])
})

test('with no collector there, closing has a deadline', async () => {
  const {tracing} = await open({OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1'})
  failover(tracing)
  const began = performance.now()
  await tracing.close()
  expect(performance.now() - began).toBeLessThan(5000)
})
