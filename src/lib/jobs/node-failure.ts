import {messageOf, OllamaxError} from '../errors.ts'

/** Why something failed on one of several nodes. */
export interface NodeFailure {
  readonly code: string
  readonly message: string
  readonly suggestions: readonly string[]
}

/** An error as a row of a result tells it. */
export function failureOf(error: unknown): NodeFailure {
  const ours = OllamaxError.is(error) ? error : undefined
  return {
    code: ours?.code ?? 'BUG',
    message: messageOf(error),
    suggestions: ours?.suggestions ?? [],
  }
}

interface Row {
  readonly node: string
  readonly error?: NodeFailure
}

/**
 * SOME_NODES_FAILED with all rows; undefined if none failed.
 * `what` ends "N of M nodes ...", as in "did not get the model".
 */
export function failureAmong(rows: readonly Row[], what: string): OllamaxError | undefined {
  const failed = rows.flatMap(({node, error}) => (error ? [{node, error}] : []))
  const [first] = failed
  if (!first) return undefined
  const suggestions = [...new Set(failed.flatMap(({error}) => error.suggestions))]
  const details = {nodes: rows}
  return new OllamaxError(
    'SOME_NODES_FAILED',
    [
      `${failed.length} of ${rows.length} ${rows.length === 1 ? 'node' : 'nodes'} ${what}:`,
      ...failed.map(({node, error}) =>
        error.message.startsWith(`${node}:`) ? error.message : `${node}: ${error.message}`,
      ),
    ].join('\n'),
    {suggestions, details},
  )
}
