import {roundDuration} from '../cluster/size.ts'
import {OllamaxError} from '../errors.ts'
import type {AppliedPlan} from '../jobs/desired/apply-desired.ts'
import type {DoneAction} from '../jobs/desired/run-waves.ts'
import {type Cell, table} from './output.ts'

const COLUMNS = ['NODE', 'WHAT', 'RESULT', 'TIME', 'ABOUT']

/** A row per action. */
export function describeApplied({actions}: AppliedPlan): Promise<string> {
  return table(COLUMNS, actions.map(rowOf))
}

function rowOf({node, what, outcome, ms, why, error}: DoneAction): Cell[] {
  const tone = outcome === 'done' ? 'good' : outcome === 'failed' ? 'bad' : 'warn'
  const time = outcome === 'done' || outcome === 'failed' ? roundDuration(ms) : '-'
  return [node, what, {text: outcome, tone}, time, error?.message ?? why ?? '-']
}

/** SOME_NODES_FAILED with all rows; undefined if none failed. */
export function applyFailure({actions}: AppliedPlan): OllamaxError | undefined {
  const failed = actions.filter(({outcome}) => outcome === 'failed')
  if (failed.length === 0) return undefined
  const open = actions.filter(({outcome}) => outcome === 'not-begun').length
  const rest = open > 0 ? `; ${open} after ${failed.length === 1 ? 'it' : 'them'} not begun` : ''
  return new OllamaxError(
    'SOME_NODES_FAILED',
    [
      `${failed.length} of ${actions.length} actions failed${rest}:`,
      ...failed.map(({node, what, error}) => `${node}: ${what}: ${error?.message ?? 'unknown'}`),
    ].join('\n'),
    {
      suggestions: [
        ...new Set(failed.flatMap(({error}) => error?.suggestions ?? [])),
        'run ollamax apply again: what is done already is not done twice',
      ],
      details: {actions},
    },
  )
}
