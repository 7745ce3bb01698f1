import {describeBytes, NO_PROGRESS, reduceProgress} from '../../cluster/progress.ts'
import type {Report} from '../../cluster/report.ts'
import {roundDuration} from '../../cluster/size.ts'
import {OllamaxError} from '../../errors.ts'
import {uptimeMs, withDeadline} from '../../jobs/deadline.ts'
import {type Answer, type RunOptions, runModel} from '../../jobs/run-model.ts'
import type {Tools} from '../../jobs/tools.ts'
import type {ChatScreen} from '../../tui/chat/open-chat.tsx'
import {routeOf} from '../answer.ts'
import type {RouteFlags} from '../answer-flags.ts'
import {describeRanking, describeStats} from '../describe-answer.ts'
import {describeWait} from '../wait-line.ts'

export interface TurnOptions {
  readonly body: RunOptions['body']
  readonly cached: RunOptions['cached']
  readonly flags: RouteFlags
  /** Ends the answer, or the chat. */
  readonly signals: readonly AbortSignal[]
}

/** How an answer went: whole, or as far as it came when it was cancelled. */
export type Turn =
  | {readonly kind: 'answered'; readonly answer: Answer}
  | {readonly kind: 'cancelled'; readonly response: string}

/** Gets one answer and shows it as it comes, with a line of what it took. Throws what `runModel` throws. */
export async function askTurn(
  tools: Tools,
  screen: ChatScreen,
  options: TurnOptions,
): Promise<Turn> {
  const {flags} = options
  const limit = withDeadline(options.signals)
  const begunMs = uptimeMs()
  let firstMs: number | undefined
  let response = ''
  let node: string | undefined
  let failure: string | undefined
  screen.begin()
  try {
    const answer = await runModel(tools, {
      ...routeOf(flags),
      body: options.body,
      ...(options.cached ? {cached: options.cached} : {}),
      signal: limit.signal,
      show({text, thinking}) {
        if (!text && !thinking) return false
        firstMs ??= uptimeMs() - begunMs
        response += text
        screen.waiting(`${node ?? 'the node'}: ${text ? 'answering' : 'thinking'}`)
        screen.piece(thinking, true)
        screen.piece(text, false)
        return true
      },
      note(note) {
        if (note.kind === 'asking') {
          node = note.node
          if (failure !== undefined) screen.say(`${failure}; asking ${note.node} instead`, 'dim')
          failure = undefined
          if (flags.explain && !note.ranked)
            screen.say(`only ${note.node} is to be asked: nothing to choose`, 'dim')
        }
        if (note.kind === 'failed') failure = `${note.node}: ${note.message}`
        if (note.kind === 'ranked' && flags.explain)
          screen.say(describeRanking(note).trimEnd(), 'dim')
        const text = note.kind === 'idle' ? '' : describeWait(note)
        if (text !== undefined) screen.waiting(text)
      },
      progress: async () => pullProgress(screen),
    })
    const line = describeTurn(answer, firstMs)
    const stats = flags.verbose ? `\n${describeStats(answer).trimEnd()}` : ''
    screen.end(`${line}${stats}`, 'dim')
    return {kind: 'answered', answer}
  } catch (error) {
    const [, cancel] = options.signals
    if (cancel?.aborted && !options.signals[0]?.aborted) {
      screen.end('(cancelled)', 'dim')
      return {kind: 'cancelled', response}
    }
    screen.end(
      OllamaxError.is(error, 'STREAM_CUT') ? '(incomplete: not part of the conversation)' : '',
      'dim',
    )
    throw error
  } finally {
    limit.end()
  }
}

/** A pull shown where the answer is waited for. */
function pullProgress(screen: ChatScreen) {
  let progress = NO_PROGRESS
  const report = (event: Report) => {
    const nowMs = Date.now()
    progress = reduceProgress(progress, event, nowMs)
    const [line] = progress.lines
    if (!line) return
    const bytes = line.bytes ? `: ${describeBytes(line.bytes, nowMs)}` : ''
    screen.waiting(`${line.subject}: ${line.step?.name ?? 'pulled'}${bytes}`)
  }
  return {report, stop: async () => {}}
}

/** Who answered, how much and how fast; what the node did not tell is said to be unknown. */
export function describeTurn(
  {node, stats, doneReason}: Pick<Answer, 'node' | 'stats' | 'doneReason'>,
  firstMs: number | undefined,
): string {
  const {answerTokens, answerMs} = stats
  const rate = answerTokens && answerMs ? ((answerTokens / answerMs) * 1000).toFixed(1) : undefined
  return [
    node,
    `${answerTokens ?? 'unknown'} tokens`,
    `${rate ?? 'unknown'} tokens/s`,
    `first token ${firstMs === undefined ? 'unknown' : roundDuration(firstMs)}`,
    ...(doneReason === 'length' ? ['out of tokens (num_predict or the context)'] : []),
  ].join(' · ')
}
