import {parseDuration} from '../cluster/size.ts'
import {OllamaxError} from '../errors.ts'
import {withDeadline} from '../jobs/deadline.ts'
import {type Answer, type RunOptions, runModel} from '../jobs/run-model.ts'
import type {Tools} from '../jobs/tools.ts'
import type {RouteFlags} from './answer-flags.ts'
import {answerScreen, type ScreenOptions} from './answer-screen.ts'

/** What a command that asks for an answer returns and prints with --json. */
export interface AnswerResult {
  readonly model: string
  readonly node: string
  readonly response: string
  /** Only of a model that thought. */
  readonly thinking?: string
  /** `stop`: it was done; `length`: it ran out of tokens. */
  readonly doneReason: string
  /** Tokens; absent where the node did not tell. */
  readonly counts: {readonly prompt?: number; readonly answer?: number}
  /** Milliseconds; absent where the node did not tell. */
  readonly durations: {
    readonly totalMs?: number
    readonly loadMs?: number
    readonly promptMs?: number
    readonly answerMs?: number
  }
  readonly attempts: ReadonlyArray<{
    readonly node: string
    readonly ok: boolean
    readonly ms: number
    readonly code?: string
    readonly message?: string
  }>
}

export interface AnswerOptions {
  readonly flags: RouteFlags
  readonly signal: AbortSignal
  readonly json: boolean
  /** Writes each line of the answer as it came. */
  readonly chunks?: boolean
  readonly drawn?: ScreenOptions['drawn']
}

/** The reader of stdout has left; nothing went wrong. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone'
}

/**
 * Lets a model answer to this terminal: text on stdout as it comes, all else on stderr. Throws what
 * `runModel` throws, and ReaderGone when stdout was closed.
 */
export async function printAnswer(
  tools: Tools,
  body: RunOptions['body'],
  {flags, signal, json, chunks = false, drawn = {}}: AnswerOptions,
): Promise<AnswerResult> {
  const screen = await answerScreen({json, chunks, drawn, explain: flags.explain ?? false})
  const limit = withDeadline([signal, screen.gone])
  try {
    const answer = await runModel(tools, {
      body,
      ...routeOf(flags),
      signal: limit.signal,
      show: screen.show,
      note: screen.note,
      progress: () => pullProgress(json),
    })
    screen.end()
    if (!answer.response && answer.thinking && answer.doneReason === 'length')
      process.stderr.write(
        'the model spent all its tokens on thinking: --no-think, or a larger --option num_predict=N\n',
      )
    if (flags.verbose) {
      const {describeStats} = await import('./describe-answer.ts')
      process.stderr.write(describeStats(answer))
    }
    return resultOf(answer)
  } catch (error) {
    if (screen.gone.aborted) throw new ReaderGone()
    throw error
  } finally {
    screen.end()
    limit.end()
  }
}

async function pullProgress(json: boolean) {
  const {makeReporter} = await import('./progress.ts')
  return makeReporter({stream: process.stderr, json, plain: false})
}

/** The flags as `runModel` takes them. BAD_INPUT for a timeout that is no duration. */
export function routeOf(flags: RouteFlags) {
  return {
    node: flags.node,
    policy: flags.policy,
    pull: flags.pull,
    timeoutMs: flags.timeout === undefined ? undefined : timeoutOf(flags.timeout),
  }
}

function timeoutOf(text: string): number {
  const ms = parseDuration(text)
  if (ms > 0) return ms
  throw new OllamaxError('BAD_INPUT', '--timeout must be longer than nothing')
}

function resultOf({thinking, stats, ...answer}: Answer): AnswerResult {
  const {promptTokens, answerTokens, ...durations} = stats
  return {
    model: answer.model,
    node: answer.node,
    response: answer.response,
    ...(thinking ? {thinking} : {}),
    doneReason: answer.doneReason,
    counts: {
      ...(promptTokens === undefined ? {} : {prompt: promptTokens}),
      ...(answerTokens === undefined ? {} : {answer: answerTokens}),
    },
    durations,
    attempts: answer.attempts,
  }
}
