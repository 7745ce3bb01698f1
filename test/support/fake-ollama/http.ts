import type {IncomingMessage, ServerResponse} from 'node:http'

/** A refusal as Ollama words it. */
export class ApiError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Sends a whole JSON answer; a body for HEAD is left out by node:http itself. */
export function sendJson(res: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body)
  head(res, status, 'application/json; charset=utf-8').end(text)
}

export function sendText(res: ServerResponse, status: number, text: string): void {
  head(res, status, 'text/plain; charset=utf-8').end(text)
}

/** Headers as Go sends them: no Connection, no Keep-Alive. */
export function head(res: ServerResponse, status: number, type?: string): ServerResponse {
  res.removeHeader('connection')
  if (type) res.setHeader('Content-Type', type)
  res.statusCode = status
  return res
}

export async function readBytes(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** The body as an object; 400 in Ollama's words where it is none. */
export async function readBody(req: IncomingMessage): Promise<Record<string, unknown>> {
  const bytes = await readBytes(req)
  if (bytes.length === 0) throw new ApiError(400, 'missing request body')
  if (bytes[0] === 0x1f && bytes[1] === 0x8b)
    throw new ApiError(400, "invalid character '\\x1f' looking for beginning of value")
  let body: unknown
  try {
    body = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new ApiError(400, 'unexpected EOF')
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new ApiError(400, `json: cannot unmarshal ${jsonKind(body)} into Go value`)
  return body as Record<string, unknown>
}

/** The kind of a value in the words of Go's decoder. */
export function jsonKind(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/
const isIp = (host: string): boolean => /^[\d.]+$/.test(host) || host.includes(':')

/** True if Ollama answers this Host and Origin; else it says 403 without a body. */
export function isAllowed(req: IncomingMessage, boundTo: string, hostname: string): boolean {
  const origin = req.headers.origin
  if (origin !== undefined) {
    const allowed =
      /^(https?:\/\/(localhost|127\.0\.0\.1|0\.0\.0\.0)(:\d+)?|(app|file|tauri):\/\/.*)$/
    if (!allowed.test(origin)) return false
  }
  if (!LOOPBACK.test(boundTo)) return true
  const host = hostOf(req.headers.host ?? '')
  return (
    host === '' ||
    isIp(host) ||
    host === 'localhost' ||
    host === hostname.toLowerCase() ||
    /\.(localhost|local|internal)$/.test(host)
  )
}

function hostOf(header: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(header)
  return (bracketed?.[1] ?? header.replace(/:\d+$/, '')).toLowerCase()
}

/** Resolves after `ms`, at once for 0; rejects as soon as the signal says so. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  if (ms <= 0) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal.addEventListener('abort', abort, {once: true})
  })
}
