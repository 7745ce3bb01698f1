import {formatLabels} from '../cluster/format.ts'
import {OllamaxError} from '../errors.ts'
import type {ImportedInventory, ImportedNode} from '../jobs/import-inventory.ts'
import {table} from './output.ts'

/** A row per machine, in the order of the inventory. */
export function describeImported(nodes: readonly ImportedNode[]): Promise<string> {
  const rows = nodes.map((node) => [
    node.name,
    node.target,
    {text: node.outcome, tone: node.outcome === 'refused' ? ('bad' as const) : ('good' as const)},
    formatLabels(node.labels),
    node.why ?? '-',
  ])
  return table(['NODE', 'TARGET', 'RESULT', 'LABELS', 'ABOUT'], rows)
}

/** SOME_NODES_FAILED with all rows; undefined if none was refused. */
export function importFailure({nodes, notes}: ImportedInventory): OllamaxError | undefined {
  const refused = nodes.filter((node) => node.outcome === 'refused')
  if (refused.length === 0) return undefined
  return new OllamaxError(
    'SOME_NODES_FAILED',
    [
      `${refused.length} of ${nodes.length} machines cannot be nodes as the inventory has them:`,
      ...refused.map(({name, why}) => `  ${name}: ${why}`),
    ].join('\n'),
    {
      suggestions: [
        'mend them in the inventory, and import it again: what is there stays as it is',
      ],
      details: {nodes, notes},
    },
  )
}
