import {OllamaxError} from '../errors.ts'
import type {RolledNode} from '../jobs/roll/rolled-node.ts'
import {table} from './output.ts'

/** A row per node, in the order in which they were changed. */
export function describeRolled(nodes: readonly RolledNode[]): Promise<string> {
  const rows = nodes.map((node) => [
    String(node.wave),
    node.name,
    {text: node.outcome, tone: node.error ? ('bad' as const) : ('good' as const)},
    node.from ?? 'unknown',
    node.to ?? '-',
    pace(node.pace?.before),
    pace(node.pace?.after),
    node.drainedMs === undefined ? '-' : `${(node.drainedMs / 1000).toFixed(1)}s`,
    node.error?.message.split('\n')[0] ?? '-',
  ])
  const columns = ['WAVE', 'NODE', 'RESULT', 'FROM', 'TO', 'TOKENS/S', 'AFTER', 'DRAINED', 'ABOUT']
  return table(columns, rows)
}

const pace = (tokensPerS: number | undefined) =>
  tokensPerS === undefined ? '-' : tokensPerS.toFixed(1)

/** SOME_NODES_FAILED with all rows; undefined if all are as they were wanted. */
export function rollFailure(nodes: readonly RolledNode[]): OllamaxError | undefined {
  const bad = nodes.filter((node) => node.error)
  if (bad.length === 0) return undefined
  const back = nodes.filter(({outcome}) => outcome === 'rolled-back').map(({name}) => name)
  const open = nodes.filter(({outcome}) => outcome === 'not-begun').map(({name}) => name)
  return new OllamaxError(
    'SOME_NODES_FAILED',
    [
      `wave ${bad[0]?.wave} was bad, and was the last one:`,
      ...bad.map((node) => `  ${node.error?.message}`),
      ...(back.length > 0 ? [`rolled back: ${back.join(', ')}`] : []),
      ...(open.length > 0 ? [`not begun: ${open.join(', ')}`] : []),
    ].join('\n'),
    {
      suggestions: [
        ...new Set(bad.flatMap((node) => node.error?.suggestions ?? [])),
        'run the same command again when that is mended: what is done already is not done twice',
      ],
      details: {nodes},
    },
  )
}

/** A part as a number from 0 to 1; BAD_INPUT. */
export function readPart(text: string): number {
  const part = Number(text)
  if (text.trim() !== '' && part >= 0 && part <= 1) return part
  throw new OllamaxError('BAD_INPUT', `--min-pace takes a number from 0 to 1, and not ${text}`)
}
