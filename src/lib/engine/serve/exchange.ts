import type {IncomingMessage, ServerResponse} from 'node:http'
import {isLoopback} from '../../cluster/loopback.ts'
import {Refusal} from './refusal.ts'

/** Sends one JSON document. */
export function sendJson(reply: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value)
  reply.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
  })
  reply.end(body)
}

export function sendText(
  reply: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const length = Buffer.byteLength(text)
  reply.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': length,
    ...headers,
  })
  reply.end(text)
}

/** One line of an NDJSON stream; the first one sends the headers. */
export function sendLine(reply: ServerResponse, value: unknown): void {
  if (reply.destroyed) return
  if (!reply.headersSent) reply.writeHead(200, {'content-type': 'application/x-ndjson'})
  reply.write(`${JSON.stringify(value)}\n`)
}

/** The whole body as text; 413 beyond `most` bytes. */
export async function readBody(request: IncomingMessage, most: number): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > most) throw new Refusal(413, `request body is larger than ${most} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * Only programs on this machine may talk to the engine: a name in Host that is not this machine's
 * is a browser led here by DNS rebinding, and a foreign Origin is a web page.
 */
export function isLocalCaller(request: IncomingMessage): boolean {
  const {host, origin} = request.headers
  if (host !== undefined && !isLocal(`http://${host}`)) return false
  return origin === undefined || isLocal(origin)
}

/**
 * Names below `localhost` are of this machine by RFC 6761, and browsers keep them there. Not so the other names that the
 * gateway takes, as Ollama does (gateway/origin.ts): nobody but programs of this machine has to reach the engine.
 */
function isLocal(url: string): boolean {
  if (!URL.canParse(url)) return false
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  return isLoopback(host) || host.endsWith('.localhost')
}
