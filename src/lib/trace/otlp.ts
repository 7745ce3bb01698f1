import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import {ExportResultCode, W3CTraceContextPropagator} from '@opentelemetry/core'
import {OTLPTraceExporter} from '@opentelemetry/exporter-trace-otlp-http'
import {detectResources, envDetector, resourceFromAttributes} from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type {RequestRecord} from '../cluster/request-record.ts'
import type {Trace, TracedAttempt, TraceHeaders, Tracing, TracingOptions} from './tracing.ts'

/** Spans that wait for the collector, at most; beyond it new ones are dropped. About 1 KB each. */
const QUEUE_SPANS = 2048
const BATCH_SPANS = 512
const BATCH_DELAY_MS = 2000
const CLOSE_MS = 2000

const propagator = new W3CTraceContextPropagator()

/** Traces to an OTLP collector. This file alone loads OpenTelemetry. */
export function openOtlp(url: string, {env, version, onTrouble}: TracingOptions): Tracing {
  const resource = resourceFromAttributes({'service.name': 'ollamax', 'service.version': version})
  const provider = new TracerProvider({
    resource: resource.merge(detectResources({detectors: [envDetector]})),
    sampler: samplerOf(env),
    spanLimits: {attributeValueLengthLimit: 256},
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: telling(new OTLPTraceExporter({url}), onTrouble),
        maxQueueSize: QUEUE_SPANS,
        maxExportBatchSize: BATCH_SPANS,
        scheduledDelayMillis: BATCH_DELAY_MS,
      }),
    ],
  })
  const tracer = provider.getTracer('ollamax', version)
  return {
    on: true,
    startTrace: (headers) => startTrace(tracer, headers),
    async close() {
      const {promise, resolve} = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, CLOSE_MS)
      provider.shutdown().then(resolve, () => resolve())
      await promise
      clearTimeout(timer)
    },
  }
}

function startTrace(tracer: Tracer, headers: TraceHeaders): Trace {
  const from = propagator.extract(ROOT_CONTEXT, headers, {
    get: (carrier: TraceHeaders, name) => carrier[name] as string | string[] | undefined,
    keys: (carrier: TraceHeaders) => Object.keys(carrier),
  })
  const span = tracer.startSpan('request', {kind: SpanKind.SERVER}, from)
  const within = trace.setSpan(from, span)
  return {
    attempt: (node) => startAttempt(tracer, within, node),
    end: (record) => endRequest(span, record),
  }
}

function startAttempt(tracer: Tracer, within: Context, node: string): TracedAttempt {
  const span = tracer.startSpan(
    'attempt',
    {kind: SpanKind.CLIENT, attributes: {'ollamax.node': node}},
    within,
  )
  const headers: Record<string, string> = {}
  propagator.inject(trace.setSpan(within, span), headers, {
    set: (carrier: Record<string, string>, name, value) => {
      carrier[name] = value
    },
  })
  return {
    headers,
    end: ({status, failure}) => {
      span.setAttributes(known({'http.response.status_code': status, 'error.type': failure}))
      if (failure !== undefined) span.setStatus({code: SpanStatusCode.ERROR})
      span.end()
    },
  }
}

function endRequest(span: Span, record: RequestRecord): void {
  span.updateName(`${record.method} ${record.route}`)
  const failed = record.outcome === 'failed' || record.outcome === 'refused'
  span.setAttributes(
    known({
      'http.request.method': record.method,
      'http.route': record.route,
      'http.response.status_code': record.status,
      'gen_ai.request.model': record.model,
      'gen_ai.usage.input_tokens': record.promptTokens,
      'gen_ai.usage.output_tokens': record.answerTokens,
      'error.type': failed ? (record.code ?? record.outcome) : undefined,
      'ollamax.request_id': record.requestId,
      'ollamax.node': record.node,
      'ollamax.outcome': record.outcome,
      'ollamax.attempts': record.attempts,
      'ollamax.queue_ms': record.queueMs,
      'ollamax.first_byte_ms': record.firstByteMs,
      'ollamax.reason': record.reason,
    }),
  )
  if (failed) span.setStatus({code: SpanStatusCode.ERROR})
  span.end()
}

function known(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined))
}

/** Says when the collector cannot be reached, once until it can. */
function telling(exporter: SpanExporter, say: (message: string) => void): SpanExporter {
  let broken = false
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const failed = result.code !== ExportResultCode.SUCCESS
        if (failed && !broken)
          say(
            `traces cannot be delivered and are dropped: ${result.error?.message ?? 'no reason given'}`,
          )
        broken = failed
        done(result)
      }),
    shutdown: () => exporter.shutdown(),
  }
}

/** As OTEL_TRACES_SAMPLER says; a caller's own decision goes first unless it says otherwise. */
function samplerOf(env: TracingOptions['env']): Sampler {
  const name = env.OTEL_TRACES_SAMPLER ?? 'parentbased_always_on'
  const ratio = Number(env.OTEL_TRACES_SAMPLER_ARG || 1)
  const root = name.endsWith('always_off')
    ? new AlwaysOffSampler()
    : name.endsWith('traceidratio')
      ? new TraceIdRatioBasedSampler(ratio)
      : new AlwaysOnSampler()
  return name.startsWith('parentbased_') ? new ParentBasedSampler({root}) : root
}
