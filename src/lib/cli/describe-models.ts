import {roundSize} from '../cluster/size.ts'
import type {CopiedModel} from '../jobs/copy-model.ts'
import type {ListedModels} from '../jobs/list-models.ts'
import type {SpreadNode} from '../jobs/spread-model.ts'
import {type Cell, forPeople, table} from './output.ts'

/** A line for each node that was to get a model. */
export function describeCopied({nodes, model}: Pick<CopiedModel, 'nodes' | 'model'>): string {
  return nodes.map((row) => `${row.node}: ${about(row, model)}`).join('\n')
}

function about({outcome, sentBytes, resumedBytes, replaced, error}: SpreadNode, model: string) {
  if (outcome === 'failed') return `failed: ${error?.message ?? 'unknown'}`
  if (outcome === 'had-it') return `had ${model} already`
  const resumed = resumedBytes > 0 ? `, ${roundSize(resumedBytes)} were there from before` : ''
  const other = replaced === undefined ? '' : `, in place of ${replaced.slice(0, 12)}`
  return `has ${model} (${roundSize(sentBytes)} sent${resumed}${other})`
}

const COLUMNS = ['NAME', 'SIZE', 'DIGEST', 'REPLICAS', 'LOADED', 'STATE', 'NODES']

/** The models of the fleet, one row each. */
export function modelTable({
  models,
  asked,
}: Pick<ListedModels, 'models' | 'asked'>): Promise<string> {
  const people = forPeople()
  const rows = models.map(({name, versions, loaded, drift}): Cell[] => {
    const nodes = versions.flatMap((version) => version.nodes)
    const size = versions[0]?.sizeBytes ?? 0
    return [
      name,
      people ? roundSize(size) : String(size),
      versions.map(({digest}) => digest.slice(0, 12)).join(','),
      people ? `${nodes.length}/${asked.length}` : String(nodes.length),
      loaded.join(',') || '-',
      drift ? {text: 'drift', tone: 'warn'} : 'same',
      nodes.join(','),
    ]
  })
  return table(COLUMNS, rows)
}
