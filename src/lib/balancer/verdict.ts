/** How a request to a node ended, other than well. */
export type Failure =
  /** No connection, or it broke. */
  | {readonly kind: 'unreachable'}
  /** A deadline of ours passed. */
  | {readonly kind: 'timeout'}
  /** An HTTP status that is not 2xx, with the node's words. */
  | {readonly kind: 'reply'; readonly status: number; readonly words: string}
  /** Status 200, then an error line. */
  | {readonly kind: 'line'; readonly words: string}
  /** Ended without its terminal marker, or with something that no Ollama writes. */
  | {readonly kind: 'cut'}

/**
 * What to do about a failure as long as nothing of the answer was shown: `caller`: any node would say
 * the same, so nobody else is asked. `missing`: the node does not have the model. `unable`: its Ollama
 * cannot do this with the model. `busy`: it has enough to do. `broken`: it is not well, and is remembered
 * for it.
 */
export type Verdict = 'caller' | 'missing' | 'unable' | 'busy' | 'broken'

/** Ollama answers some mistakes of the caller with 500; these are their words. */
const CALLERS_500 = /^option "|invalid format|template:/
/** Statuses that say no more than that this node, or what stands before it, does not let us in. */
const NODES_4XX = new Set([401, 403, 405, 407, 408, 421, 425])

/** Judges a failure; pure, and the same for every door. */
export function judge(failure: Failure): Verdict {
  switch (failure.kind) {
    case 'reply':
      return judgeStatus(failure.status, failure.words)
    case 'line':
      return CALLERS_500.test(failure.words) ? 'caller' : 'broken'
    default:
      return 'broken'
  }
}

/** Ollama's words for a model that it cannot bring into memory; other models on the same node may be well. */
const LOAD_ERRORS =
  /requires more system memory|unable to load model|error loading model|failed to load model|out of memory|insufficient memory|cudaMalloc failed|timed out waiting for .*(runner|server) to start/i
/** So it says of one that died while it loaded, and in some versions of one that died at work. */
const DIED = /runner process has terminated/i

/**
 * True for a failure to load the model, which concerns this model on this node and does not pass soon. `warm`: the model was
 * in memory when the request was sent; `begun`: the answer had begun, so it was in memory in any case.
 */
export function isLoadError(
  failure: Failure,
  {warm, begun}: {readonly warm: boolean; readonly begun: boolean},
): boolean {
  if (begun || (failure.kind !== 'reply' && failure.kind !== 'line')) return false
  return LOAD_ERRORS.test(failure.words) || (!warm && DIED.test(failure.words))
}

function judgeStatus(status: number, words: string): Verdict {
  // Another 404 is that of a path: an Ollama too old for this API is well for all others.
  if (status === 404) return /model.*not found/s.test(words) ? 'missing' : 'unable'
  if (status === 429 || status === 503) return 'busy'
  // Embeddings of a chat model: another version of Ollama may make them.
  if (status === 501) return 'unable'
  if (status >= 500) return CALLERS_500.test(words) ? 'caller' : 'broken'
  return NODES_4XX.has(status) ? 'broken' : 'caller'
}
