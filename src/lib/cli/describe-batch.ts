import {roundDuration} from '../cluster/size.ts'
import {OllamaxError} from '../errors.ts'
import type {Batch} from '../jobs/batch/run-batch.ts'
import {table} from './output.ts'

/** Requests at once; undefined for `auto`. BAD_INPUT for what is neither that nor a number from 1 to 1024. */
export function parseConcurrency(text: string): number | undefined {
  if (text === 'auto') return undefined
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= 1024) return count
  throw new OllamaxError('BAD_INPUT', `--concurrency ${text} is neither auto nor a number`, {
    suggestions: ['--concurrency auto', 'or a number from 1 to 1024'],
  })
}

const COLUMNS = ['NODE', 'LINES', 'PROMPT TOKENS', 'ANSWER TOKENS', 'TOKENS/S']

/** What each node has done, and the whole in one line below. */
export async function describeBatch(batch: Batch): Promise<string> {
  const {seconds, nodes, tokens, earlier} = batch
  const rows = nodes.map(({node, lines, promptTokens, answerTokens}) => [
    node,
    ...[lines, promptTokens, answerTokens].map(String),
    perSecond(answerTokens, seconds),
  ])
  const drawn = await table(COLUMNS, rows)
  const parts = [
    `${batch.answered} lines answered in ${roundDuration(seconds * 1000)}`,
    `${batch.linesPerS.toFixed(2)} lines/s`,
    `${tokens.prompt} prompt and ${tokens.answer} answer tokens`,
    `${perSecond(tokens.answer, seconds)} tokens/s`,
    ...(batch.retried > 0 ? [`${batch.retried} tries more`] : []),
    ...(batch.failed > 0 ? [`${batch.failed} failed`] : []),
    ...(earlier.answered > 0 ? [`${earlier.answered} were answered before`] : []),
    ...(earlier.failed > 0 ? [`${earlier.failed} had failed before`] : []),
  ]
  return `${drawn ? `${drawn}\n` : ''}${parts.join(', ')}`
}

const perSecond = (count: number, seconds: number) =>
  seconds > 0 ? (count / seconds).toFixed(1) : '-'

/** Of more than these only the number is told. */
const TOLD = 10

/** LINES_FAILED with the first failed lines and all of the batch; undefined if none failed. */
export function linesFailed(batch: Batch, output: string): OllamaxError | undefined {
  const failed = batch.failed + batch.earlier.failed
  if (failed === 0) return undefined
  const told = batch.failures.slice(0, TOLD).map((one) => {
    const id = one.customId === undefined ? '' : ` (${one.customId})`
    return `line ${one.line}${id}: ${one.message}`
  })
  const more = failed - told.length
  const words = [...told, ...(more > 0 ? [`${told.length > 0 ? 'and ' : ''}${more} more`] : [])]
  const again = output === '-' ? [] : ['the same command with --retry-failed asks them once more']
  return new OllamaxError(
    'LINES_FAILED',
    `${failed} ${failed === 1 ? 'line has' : 'lines have'} no answer: ${words.join('; ')}`,
    {
      suggestions: [
        ...again,
        ...(output === '-' ? [] : [`see them all: grep '"error":{' ${output}`]),
      ],
      details: {...batch},
    },
  )
}
