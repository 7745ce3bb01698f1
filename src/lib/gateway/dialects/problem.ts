import type {Dialect} from '../route.ts'

/** An answer of the gateway's own that is an error: a status, and words for the client. */
export interface Problem {
  readonly status: number
  readonly message: string
  /** For 429 and 503. */
  readonly retryAfterMs?: number
  /** For 401: how a client can say who it is. */
  readonly authenticate?: string
}

const OPENAI_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'invalid_request_error',
  429: 'rate_limit_error',
}
const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
}

/** The body of an error as the dialect's own server would write it. */
export function problemBody(dialect: Dialect, {status, message}: Problem): string {
  return JSON.stringify(problemOf(dialect, status, message))
}

/**
 * The piece that ends a stream which had begun: an explicit error that the dialect's clients raise, never
 * a silent end. `event` is SSE's name where the client needs one.
 */
export function problemFrame(dialect: Dialect, call: string, problem: Problem): string {
  const {status, message} = problem
  if (dialect === 'ollama') return `${JSON.stringify({error: message})}\n`
  if (dialect === 'anthropic') return sse('error', problemOf('anthropic', status, message))
  if (call === 'responses') {
    // As OpenAI's manual has the event, and with the object beside it without which its own Python client
    // takes the event for a part of the answer.
    const told = {type: 'error', code: 'server_error', message, param: null}
    return sse('error', {...told, ...problemOf('openai', status, message)})
  }
  return `data: ${JSON.stringify(problemOf('openai', status, message))}\n\n`
}

const sse = (event: string, data: object) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`

function problemOf(dialect: Dialect, status: number, message: string): object {
  switch (dialect) {
    case 'ollama':
      return {error: message}
    case 'openai':
      return {
        error: {message, type: OPENAI_TYPES[status] ?? 'api_error', param: null, code: null},
      }
    case 'anthropic':
      return {type: 'error', error: {type: ANTHROPIC_TYPES[status] ?? 'api_error', message}}
  }
}
