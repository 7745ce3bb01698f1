import {once} from 'node:events'
import {createServer, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import {json} from 'node:stream/consumers'
import {onTestFinished} from 'vitest'

/** A span as OTLP's JSON has it. */
export interface OtlpSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly {
    readonly key: string
    readonly value: Readonly<Record<string, unknown>>
  }[]
  readonly status: {readonly code?: number}
}

interface OtlpBody {
  readonly resourceSpans: readonly {
    readonly resource: {readonly attributes: OtlpSpan['attributes']}
    readonly scopeSpans: readonly {readonly spans: readonly OtlpSpan[]}[]
  }[]
}

/** Stands in for an OpenTelemetry collector; `answer` may keep it waiting or refuse. */
export async function collector(answer = (response: ServerResponse) => void response.end('{}')) {
  const bodies: OtlpBody[] = []
  const heads: string[] = []
  const server = createServer(async (request, response) => {
    heads.push(`${request.method} ${request.url} ${request.headers['content-type']}`)
    try {
      bodies.push((await json(request)) as OtlpBody)
    } catch {
      // Its sender gave up, as it does at the deadline of closing.
      return
    }
    response.setHeader('content-type', 'application/json')
    answer(response)
  }).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  return {
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    },
    heads,
    bodies,
    spans: () =>
      bodies.flatMap((body) =>
        body.resourceSpans.flatMap((r) => r.scopeSpans.flatMap((s) => s.spans)),
      ),
  }
}

/** Attributes as a plain object. */
export function plain(attributes: OtlpSpan['attributes']) {
  return Object.fromEntries(attributes.map(({key, value}) => [key, Object.values(value)[0]]))
}
