import {messageOf, OllamaxError} from '../../errors.ts'
import type {RollRun} from './roll-run.ts'

/** What became of a node. */
export interface RolledNode {
  readonly name: string
  /** Counted from 1, which is the canary. */
  readonly wave: number
  /**
   * `changed`: it is as it was wanted; `unchanged`: it was so already; `rolled-back`: it is as it was before;
   * `failed`: see `error`; `not-begun`: a wave before it was bad.
   */
  readonly outcome: 'changed' | 'unchanged' | 'rolled-back' | 'failed' | 'not-begun'
  /** Version of Ollama before. */
  readonly from?: string
  /** Version that answers now. */
  readonly to?: string
  /** Tokens per second of the smallest model that is there. */
  readonly pace?: {readonly model: string; readonly before?: number; readonly after?: number}
  /** Time without new requests. */
  readonly drainedMs?: number
  /** It takes no new requests still. */
  readonly leftDrained: boolean
  /** Why it was rolled back, or failed. */
  readonly error?: {
    readonly code: string
    readonly message: string
    readonly suggestions: readonly string[]
  }
}

/** An error as a row holds it. */
export function errorOf(error: unknown): NonNullable<RolledNode['error']> {
  const ours = OllamaxError.is(error) ? error : undefined
  return {
    code: ours?.code ?? 'BUG',
    message: messageOf(error),
    suggestions: ours?.suggestions ?? [],
  }
}

/** The row of a node that has come so far. */
export function rowOf(
  run: RollRun,
  wave: number,
  outcome: RolledNode['outcome'],
  more: Partial<RolledNode> = {},
): RolledNode {
  const {target, before, version, pace, paceAfter, drainedMs} = run
  const from = before?.version
  return {
    name: target.node.name,
    wave,
    outcome,
    ...(from === undefined ? {} : {from}),
    ...(version === undefined ? {} : {to: version}),
    ...(pace
      ? {
          pace: {
            model: pace.model,
            ...(pace.tokensPerS === undefined ? {} : {before: pace.tokensPerS}),
            ...(paceAfter?.tokensPerS === undefined ? {} : {after: paceAfter.tokensPerS}),
          },
        }
      : {}),
    ...(drainedMs === undefined ? {} : {drainedMs}),
    leftDrained: false,
    ...more,
  }
}

/** The row of a node after a bad wave. */
export const notBegun = (name: string, wave: number): RolledNode => ({
  name,
  wave,
  outcome: 'not-begun',
  leftDrained: false,
})

/** A few words for the end of its progress. */
export function describeOutcome({outcome, from, to, error}: RolledNode): string {
  if (outcome === 'changed')
    return from === to ? `changed, Ollama ${to}` : `Ollama ${from ?? 'unknown'} -> ${to}`
  if (outcome === 'rolled-back') return `rolled back to Ollama ${to}`
  return error ? (error.message.split('\n')[0] ?? '') : outcome.replace('-', ' ')
}
