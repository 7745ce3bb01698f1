import {roundDuration} from '../cluster/size.ts'
import type {Answer, RunOptions} from '../jobs/run-model.ts'

type Note = Parameters<NonNullable<RunOptions['note']>>[0]
type Ranking = Note & {readonly kind: 'ranked'}

/** Counts, durations and rates of an answer, one per line; what the node did not tell is left out. */
export function describeStats({node, stats}: Pick<Answer, 'node' | 'stats'>): string {
  const rate = (tokens?: number, ms?: number) =>
    tokens && ms ? `${((tokens / ms) * 1000).toFixed(2)} tokens/s` : undefined
  const ms = (value?: number) => (value === undefined ? undefined : roundDuration(value))
  const count = (value?: number) => (value === undefined ? undefined : `${value} token(s)`)
  const lines: ReadonlyArray<readonly [string, string | undefined]> = [
    ['node', node],
    ['total duration', ms(stats.totalMs)],
    ['load duration', ms(stats.loadMs)],
    ['prompt eval count', count(stats.promptTokens)],
    ['prompt eval duration', ms(stats.promptMs)],
    ['prompt eval rate', rate(stats.promptTokens, stats.promptMs)],
    ['eval count', count(stats.answerTokens)],
    ['eval duration', ms(stats.answerMs)],
    ['eval rate', rate(stats.answerTokens, stats.answerMs)],
  ]
  return lines
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${`${name}:`.padEnd(22)}${value}\n`)
    .join('')
}

/** The table of why: each candidate with the terms of its expected time, then who could not take part. */
export function describeRanking({policy, ranked, excluded}: Ranking): string {
  const rows = ranked.map(({candidate, terms}) => {
    const mark = (what: 'load' | 'prompt' | 'answer', ms: number) =>
      `${Math.round(ms)}${terms.guessed.includes(what) ? '?' : ''}`
    return [
      candidate.node,
      candidate.residency,
      String(candidate.inFlight),
      String(Math.round(terms.waitMs)),
      mark('load', terms.loadMs),
      mark('prompt', terms.promptMs),
      mark('answer', terms.answerMs),
      String(Math.round(terms.networkMs)),
      String(Math.round(terms.riskMs)),
      String(Math.round(terms.totalMs)),
    ]
  })
  const head = [
    'NODE',
    'MODEL',
    'BUSY',
    'WAIT',
    'LOAD',
    'PROMPT',
    'ANSWER',
    'NET',
    'RISK',
    'TOTAL MS',
  ]
  const guessed = ranked.some(({terms}) => terms.guessed.length > 0)
  return [
    `policy ${policy}`,
    ...aligned([head, ...rows]),
    ...excluded.map(({node, text}) => `${node}: ${text}`),
    ...(guessed
      ? ["? = nothing was measured there yet: a guess from the model's size or other nodes"]
      : []),
    '',
  ].join('\n')
}

/** Words to the left, numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return column < 2 ? cell.padEnd(width) : cell.padStart(width)
      })
      .join('  ')
      .trimEnd(),
  )
}
