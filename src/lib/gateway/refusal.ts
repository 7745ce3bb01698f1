import type {Refusal} from '../balancer/dispatch-request.ts'
import type {Problem} from './dialects/problem.ts'
import type {Call} from './route.ts'

/** What a client is told when the dispatcher gives up and no node's own words are there to be passed on. */
export function problemOf(
  why: Refusal,
  {model, call}: {readonly model: string; readonly call: Call},
): Problem {
  switch (why.kind) {
    case 'busy':
      return {
        status: 503,
        // As Ollama says it, two spaces and all: clients look for these words.
        message: 'server busy, please try again.  maximum pending requests exceeded',
        retryAfterMs: why.retryAfterMs,
      }
    case 'missing':
      return {status: 404, message: missing(model, call)}
    case 'no-node':
      return {
        status: 503,
        message: `no node can answer for model '${model}' now`,
        retryAfterMs: why.retryAfterMs,
      }
    case 'failed':
      return {status: 502, message: `node ${why.node} ${wordsOf(why)}`}
  }
}

/** The two wordings are Ollama's own. */
function missing(model: string, call: Call): string {
  return call === 'embed'
    ? `model "${model}" not found, try pulling it first`
    : `model '${model}' not found`
}

function wordsOf({failure}: Extract<Refusal, {kind: 'failed'}>): string {
  switch (failure.kind) {
    case 'unreachable':
      return 'could not be reached, or broke the connection'
    case 'timeout':
      return 'did not answer in time'
    case 'cut':
      return 'broke off its answer'
    case 'line':
    case 'reply':
      return `failed: ${failure.words}`
  }
}
