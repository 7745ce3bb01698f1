import {messageOf, OllamaxError} from '../errors.ts'

/** How far an exchange had come: no connection yet, no response head yet, or in the body. */
export type Phase = 'connect' | 'headers' | 'body'

const REASONS: Readonly<Record<string, readonly [reason: string, text: string]>> = {
  ECONNREFUSED: ['refused', 'nothing listens there'],
  ENOENT: ['refused', 'the socket is not there'],
  ENOTFOUND: ['resolve', 'the name does not resolve'],
  EAI_AGAIN: ['resolve', 'the name could not be resolved now'],
  EHOSTUNREACH: ['no-route', 'no route to the host'],
  ENETUNREACH: ['no-route', 'no route to the network'],
  ETIMEDOUT: ['no-route', 'no answer to the connection attempt'],
  ECONNRESET: ['reset', 'the connection was closed'],
  EPIPE: ['reset', 'the connection was closed'],
  UND_ERR_SOCKET: ['reset', 'the connection was closed'],
}

const DURING: Readonly<Record<Phase, string>> = {
  connect: 'cannot connect',
  headers: 'the connection broke before an answer came',
  body: 'the connection broke in the middle of the answer',
}

/** NODE_UNREACHABLE from what a transport threw; errors of ours (SSH_LOST, ...) pass as they are. */
export function transportError(error: unknown, phase: Phase): unknown {
  if (OllamaxError.is(error)) return error
  const code = codeOf(error)
  const [reason, text] = REASONS[code] ?? [
    phase === 'connect' ? 'refused' : 'reset',
    messageOf(error) || code,
  ]
  return new OllamaxError('NODE_UNREACHABLE', `${DURING[phase]}: ${text}`, {
    cause: error,
    details: {phase, reason},
  })
}

/** Node wraps the attempts at several addresses in an AggregateError, undici its causes. */
function codeOf(error: unknown): string {
  const {code, errors, cause} = (error ?? {}) as {
    code?: unknown
    errors?: unknown[]
    cause?: unknown
  }
  if (typeof code === 'string') return code
  const inner = errors?.[0] ?? cause
  return inner === undefined ? '' : codeOf(inner)
}

export function waitedTooLong(phase: Phase, timeoutMs: number): OllamaxError {
  const what = {connect: 'a connection', headers: 'an answer', body: 'more of the answer'}[phase]
  return new OllamaxError('TIMEOUT', `waited ${timeoutMs} ms for ${what}`, {
    details: {phase, timeoutMs},
  })
}

/** NODE_ERROR for a response whose status is not 2xx; `details` holds status and the node's own words. */
export function replyError(status: number, body: string): OllamaxError {
  const words = wordsOf(body)
  return new OllamaxError('NODE_ERROR', words || `HTTP status ${status} without a word`, {
    details: {phase: 'reply', status, words},
  })
}

/** NODE_ERROR for an error line in the midst of a stream of status 200. */
export function lineError(words: string): OllamaxError {
  return new OllamaxError('NODE_ERROR', words, {details: {phase: 'line', words}})
}

/** NODE_ERROR for an answer that Ollama would not give. */
export function strange(what: string, cause?: unknown): OllamaxError {
  return new OllamaxError('NODE_ERROR', `does not answer like Ollama: ${what}`, {
    cause,
    details: {phase: 'parse'},
  })
}

/** STREAM_CUT: the body ended cleanly, but without its `done` line. */
export function endedEarly(): OllamaxError {
  return new OllamaxError('STREAM_CUT', 'the answer ended without its last line', {
    details: {phase: 'end'},
  })
}

/**
 * The message in an error body: `{error: "..."}`, `{error: {message}}`, either of them once more as a
 * JSON string inside `error` (as llama-server's errors arrive), or the text itself.
 */
export function wordsOf(body: string): string {
  let value: unknown = body
  for (let depth = 0; depth < 4; depth++) {
    if (typeof value === 'string') {
      if (!value.trimStart().startsWith('{')) break
      try {
        value = JSON.parse(value)
      } catch {
        break
      }
    }
    if (typeof value !== 'object' || value === null) break
    const {error, message} = value as {error?: unknown; message?: unknown}
    value = error ?? message ?? ''
  }
  return typeof value === 'string' ? value.trim() : JSON.stringify(value)
}
