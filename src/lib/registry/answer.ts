import {once} from 'node:events'
import type {IncomingMessage, ServerResponse} from 'node:http'
import {messageOf} from '../errors.ts'
import {askedOf, type Part, partOf} from './asked.ts'
import type {OpenBlob, RegistrySource} from './source.ts'

export interface AnswerOptions {
  readonly source: RegistrySource
  /** A request failed. */
  readonly failed: (error: unknown, path: string) => void
}

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'

/** Answers one request as a registry of models does, so that `ollama pull` can be served. Never rejects. */
export async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  {source, failed}: AnswerOptions,
): Promise<void> {
  const [path = ''] = (request.url ?? '').split('?')
  const gone = new AbortController()
  response.once('close', () => gone.abort(new Error('the client has left')))
  const {signal} = gone
  response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0')
  try {
    const asked = askedOf(path)
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return refuse(response, 405, 'UNSUPPORTED', 'models are only read here')
    switch (asked.kind) {
      case 'root':
        return whole(response, 'application/json', Buffer.from('{}'))
      case 'manifest': {
        const found = await source.manifest(asked.name, asked.tag, signal)
        if (!found) return refuse(response, 404, 'MANIFEST_UNKNOWN', 'no such model here')
        response.setHeader('Docker-Content-Digest', `sha256:${found.digest}`)
        return whole(response, MANIFEST, found.bytes)
      }
      case 'blob': {
        const found = await source.blob(asked.name, asked.digest, signal)
        if (!found) return refuse(response, 404, 'BLOB_UNKNOWN', 'no such file here')
        response.setHeader('Docker-Content-Digest', asked.digest)
        return await sendBlob(request, response, {blob: found, signal})
      }
      default:
        return refuse(response, 404, 'NAME_UNKNOWN', 'this is no path of a registry')
    }
  } catch (error) {
    if (signal.aborted) return
    failed(error, path)
    if (response.headersSent) response.destroy()
    else refuse(response, 502, 'UNKNOWN', messageOf(error))
  }
}

async function sendBlob(
  request: IncomingMessage,
  response: ServerResponse,
  {blob, signal}: {readonly blob: OpenBlob; readonly signal: AbortSignal},
): Promise<void> {
  const {sizeBytes} = blob
  const part = partOf(request.headers.range, sizeBytes)
  response.setHeader('Content-Type', 'application/octet-stream')
  response.setHeader('Accept-Ranges', 'bytes')
  if (part === 'outside') {
    response.setHeader('Content-Range', `bytes */${sizeBytes}`)
    response.writeHead(416, {'Content-Length': 0}).end()
    return
  }
  const {from, length}: Part = part ?? {from: 0, length: sizeBytes}
  response.setHeader('Content-Length', length)
  if (part) {
    response.statusCode = 206
    response.setHeader('Content-Range', `bytes ${from}-${from + length - 1}/${sizeBytes}`)
  } else {
    // Ollama asks once without a range for the place from which it then takes the parts, and hangs up.
    response.setHeader('Location', request.url ?? '')
    response.flushHeaders()
  }
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  const take = (chunk: Buffer) => {
    if (response.write(chunk) || signal.aborted) return undefined
    return once(response, 'drain', {signal}).then(() => {})
  }
  await blob.read({from, length}, {take, signal})
  response.end()
}

function whole(response: ServerResponse, type: string, bytes: Buffer): void {
  response.writeHead(200, {'Content-Type': type, 'Content-Length': bytes.length})
  // Of an answer to HEAD Node leaves the body out.
  response.end(bytes)
}

/** As registries say it. */
function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  // Ollama looks at no status where it asked for a part: words would become bytes of its file.
  if (response.req.headers.range) {
    response.writeHead(status, {'Content-Length': 0}).end()
    return
  }
  const bytes = Buffer.from(JSON.stringify({errors: [{code, message}]}))
  response.writeHead(status, {'Content-Type': 'application/json', 'Content-Length': bytes.length})
  response.end(bytes)
}
