import {Client} from 'undici'
import type {Endpoint} from './endpoint.ts'
import type {Transport} from './request.ts'

type Streamed = Extract<Endpoint, {kind: 'stream'}>

/** HTTP by undici over a stream of the endpoint's own, one per request; closed with the request. */
export function streamTransport(endpoint: Streamed): Transport {
  return async (request, signal, connected) => {
    const client = new Client('http://localhost', {
      // The caller of a transport keeps the time; undici's own limits would cut cold loads.
      headersTimeout: 0,
      bodyTimeout: 0,
      pipelining: 1,
      connect: (_, done) => {
        endpoint.open(signal).then(
          (stream) => {
            connected()
            // Typed as net.Socket by undici, which uses only what every Duplex has.
            done(null, stream as never)
          },
          (error: Error) => done(error, null),
        )
      },
    })
    const close = () => void client.destroy().catch(() => {})
    try {
      const {statusCode, headers, body} = await client.request({
        method: request.method,
        path: request.path,
        headers: {
          ...(request.body === undefined ? {} : {'content-type': 'application/json'}),
          ...request.headers,
        },
        body: request.body ?? null,
        signal,
      })
      return {status: statusCode, headers, body, close}
    } catch (error) {
      close()
      throw error
    }
  }
}
