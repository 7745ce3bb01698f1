import type {RequestRecord} from '../cluster/request-record.ts'
import {OllamaxError} from '../errors.ts'

/** Request headers as Node gives them, names in lower case. */
export type TraceHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

/** What the gateway tells OpenTelemetry. Nothing of it throws or waits, besides `close`. */
export interface Tracing {
  /** False: nothing is traced, and nobody need ask for a trace. */
  readonly on: boolean
  /** A request has arrived: a span of its own, within the caller's where `traceparent` names one. */
  startTrace(headers: TraceHeaders): Trace
  /** Sends what is left, at most two seconds long. */
  close(): Promise<void>
}

export interface Trace {
  /** It is sent to a node now. */
  attempt(node: string): TracedAttempt
  /** Ends the request's span; the attempts must have ended. */
  end(record: RequestRecord): void
}

export interface TracedAttempt {
  /**
   * `traceparent` and `tracestate` for the request to the node, instead of the client's; empty while nothing is traced,
   * and then the client's own are passed on as any header.
   */
  readonly headers: Readonly<Record<string, string>>
  /** `failure`: a `Failure`'s kind; absent: it went well, or the client left. */
  end(how: {readonly status?: number; readonly failure?: string}): void
}

const NO_ATTEMPT: TracedAttempt = {headers: {}, end: () => {}}
const NO_TRACE: Trace = {attempt: () => NO_ATTEMPT, end: () => {}}
/** Traces nothing, at no cost. */
const NO_TRACING: Tracing = {on: false, startTrace: () => NO_TRACE, close: async () => {}}

export interface TracingOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Ours. */
  readonly version: string
  /** Told what is wrong, and once until it is well again that spans cannot be delivered. */
  readonly onTrouble: (message: string) => void
}

/**
 * Spans go by OTLP over HTTP in JSON to where OTEL_EXPORTER_OTLP_ENDPOINT (or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, the
 * whole URL) says; without one nothing is traced and nothing of OpenTelemetry is loaded. Also obeys OTEL_SDK_DISABLED,
 * OTEL_TRACES_EXPORTER=none, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_HEADERS,
 * OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG. BAD_INPUT where the endpoint is no URL.
 */
export async function openTracing(options: TracingOptions): Promise<Tracing> {
  const url = tracesUrl(options.env)
  if (url === undefined) return NO_TRACING
  const protocol =
    options.env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? options.env.OTEL_EXPORTER_OTLP_PROTOCOL
  if (protocol && protocol !== 'http/json')
    options.onTrouble(`OTEL_EXPORTER_OTLP_PROTOCOL is ${protocol}; traces are sent as http/json`)
  const {openOtlp} = await import('./otlp.ts')
  return openOtlp(url, options)
}

function tracesUrl(env: TracingOptions['env']): string | undefined {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || env.OTEL_TRACES_EXPORTER === 'none') return
  const whole = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
  if (whole) return checked('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', whole)
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT
  if (!base) return
  return `${checked('OTEL_EXPORTER_OTLP_ENDPOINT', base).replace(/\/$/, '')}/v1/traces`
}

function checked(name: string, value: string): string {
  if (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)) return value
  throw new OllamaxError('BAD_INPUT', `${name} is no URL of the kind http://host:4318`, {
    suggestions: [`set ${name} to the address of an OpenTelemetry collector, or unset it`],
  })
}
