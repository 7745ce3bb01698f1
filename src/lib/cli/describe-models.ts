import {parseDuration, roundDuration, roundSize} from '../cluster/size.ts'
import type {CopiedModel} from '../jobs/copy-model.ts'
import type {KeptModel} from '../jobs/keep-model.ts'
import type {ListedModels} from '../jobs/list-models.ts'
import type {PrunedModels} from '../jobs/prune-models.ts'
import type {PulledModel} from '../jobs/pull-model.ts'
import type {ShownModel} from '../jobs/show-model.ts'
import type {SpreadNode} from '../jobs/spread-model.ts'
import {type Cell, describeFields, forPeople, table} from './output.ts'

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

/** A line for each node that was to have a model pulled. */
export function describePulled({nodes, model}: PulledModel): string {
  return nodes
    .map(({node, outcome, from, error}) => {
      if (outcome === 'failed') return `${node}: failed: ${error?.message ?? 'unknown'}`
      if (outcome === 'had-it') return `${node}: had ${model} already`
      return `${node}: has ${model} (${outcome === 'copied' ? `from ${from}` : 'pulled'})`
    })
    .join('\n')
}

const KEPT = {
  loaded: 'loaded',
  'was-loaded': 'was in memory already',
  unloaded: 'unloaded',
  'not-loaded': 'was not in memory',
  failed: 'failed',
}

/** A line for each node on which a model was loaded or unloaded. */
export function describeKept({nodes}: KeptModel): string {
  return nodes
    .map(({node, outcome, ms, error}) => {
      const took = outcome === 'loaded' ? ` (${roundDuration(ms)})` : ''
      return `${node}: ${error ? `failed: ${error.message}` : KEPT[outcome]}${took}`
    })
    .join('\n')
}

/** `-1` as a number, anything else as a duration of ours in seconds; BAD_INPUT for what is neither. */
export function readKeepAlive(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  return text === '-1' ? -1 : Math.ceil(parseDuration(text) / 1000)
}

/** One model in full. */
export async function describeModel(model: ShownModel): Promise<string> {
  const context = model.contextLength === undefined ? undefined : String(model.contextLength)
  const fields = describeFields([
    ['name', model.name],
    ['family', model.family],
    ['parameters', model.parameterSize],
    ['quantization', model.quantization],
    ['context', context],
    ['capabilities', model.capabilities?.join(', ')],
    ['state', model.drift ? 'drift: the nodes have different content under this name' : 'same'],
    ['described by', model.from],
  ])
  const people = forPeople()
  const rows = model.nodes.map((row): Cell[] => [
    row.node,
    people ? row.digest.slice(0, 12) : row.digest,
    people ? roundSize(row.sizeBytes) : String(row.sizeBytes),
    row.modifiedAt,
    row.loaded ? 'loaded' : '-',
    row.memoryBytes === undefined
      ? '-'
      : people
        ? roundSize(row.memoryBytes)
        : String(row.memoryBytes),
  ])
  return `${fields}\n\n${await table(['NODE', 'DIGEST', 'SIZE', 'MODIFIED', 'STATE', 'MEMORY'], rows)}`
}

/** What was found on each node that no model needs. */
export function pruneTable({nodes}: PrunedModels): Promise<string> {
  const people = forPeople()
  const rows = nodes.map(({node, files, bytes, removed, error}): Cell[] => [
    node,
    error ? {text: 'failed', tone: 'bad'} : removed ? 'removed' : 'found',
    String(files.length),
    people ? roundSize(bytes) : String(bytes),
  ])
  return table(['NODE', 'STATE', 'FILES', 'SIZE'], rows)
}
