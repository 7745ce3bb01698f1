import {type IncomingMessage, type RequestOptions, request as sendHttp} from 'node:http'
import {pipeline, Readable} from 'node:stream'
import type {Endpoint} from './endpoint.ts'
import type {Transport, WireRequest} from './request.ts'

type Straight = Extract<Endpoint, {kind: 'url' | 'socket'}>

/**
 * HTTP by node:http, which is the cheapest to load. Each request has a connection of its own, closed
 * with it: a one-shot command must not wait for idle ones.
 */
export function httpTransport(endpoint: Straight): Transport {
  return async (request, signal, connected) => {
    const options = optionsFor(endpoint, request)
    const secure = endpoint.kind === 'url' && endpoint.url.startsWith('https:')
    const send = secure ? (await import('node:https')).request : sendHttp
    return new Promise((resolve, reject) => {
      const sent = send({...options, signal, agent: false}, (response: IncomingMessage) =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: response,
          close: () => sent.destroy(),
        }),
      )
      sent.on('error', reject)
      sent.on('socket', (socket) => {
        if (socket.connecting) socket.once(secure ? 'secureConnect' : 'connect', connected)
        else connected()
      })
      if (request.body instanceof Readable) {
        // A node may refuse before it has read all: then its answer counts, not the broken pipe.
        pipeline(request.body, sent, (error) => error && sent.destroy(error))
      } else sent.end(request.body)
    })
  }
}

function optionsFor(endpoint: Straight, request: WireRequest): RequestOptions & {ca?: string} {
  const headers: Record<string, string | number> = {...request.headers}
  if (request.body !== undefined) {
    headers['content-type'] ??= 'application/json'
    if (!(request.body instanceof Readable))
      headers['content-length'] = Buffer.byteLength(request.body)
  }
  if (endpoint.kind === 'socket') {
    // Ollama on a loopback address refuses foreign host names.
    const {path} = endpoint
    return {
      socketPath: path,
      method: request.method,
      path: request.path,
      headers: {host: 'localhost', ...headers},
    }
  }
  const url = new URL(endpoint.url)
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    ...(url.port ? {port: Number(url.port)} : {}),
    method: request.method,
    path: url.pathname.replace(/\/+$/, '') + request.path,
    headers: {...headers, ...endpoint.headers},
    ...(endpoint.ca === undefined ? {} : {ca: endpoint.ca}),
  }
}
