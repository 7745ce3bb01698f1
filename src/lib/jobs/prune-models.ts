import type {NodeSpec} from '../cluster/node.ts'
import type {Reporter} from '../cluster/report.ts'
import {type Selection, selectNodes} from '../cluster/select.ts'
import {roundSize} from '../cluster/size.ts'
import {OllamaxError} from '../errors.ts'
import {LIST_GARBAGE, REMOVE_GARBAGE} from '../models/garbage-scripts.ts'
import type {Store} from '../models/store.ts'
import {confirmed} from './confirm.ts'
import {eachOf} from './each-of.ts'
import {failureOf, type NodeFailure} from './node-failure.ts'
import {openNodeStore} from './node-store.ts'
import {sudoPasswordOf} from './sudo-password.ts'
import type {Tools} from './tools.ts'

export interface PruneModelsOptions {
  readonly selection: Selection
  /** Files changed later than this many minutes ago may belong to a pull or copy that goes on. */
  readonly olderThanMinutes: number
  readonly dryRun: boolean
  readonly yes: boolean
  readonly report: Reporter
}

/** What no model needs on a node. */
export interface PrunedNode {
  readonly node: string
  /** Names of files, with what they take. */
  readonly files: readonly {readonly name: string; readonly sizeBytes: number}[]
  readonly bytes: number
  /** False: only found. */
  readonly removed: boolean
  readonly error?: NodeFailure
}

export interface PrunedModels {
  readonly nodes: readonly PrunedNode[]
}

export type PruneTools = Pick<Tools, 'cluster' | 'dial' | 'signal' | 'ask' | 'env'>

/**
 * Removes files that no model of a node needs: what deleted models, broken pulls and broken copies left. Asks first:
 * CONFIRM_NEEDED, NOT_CONFIRMED. Nodes without SSH are passed over.
 */
export async function pruneModels(
  tools: PruneTools,
  options: PruneModelsOptions,
): Promise<PrunedModels> {
  const {nodes} = await tools.cluster()
  const chosen = selectNodes(nodes, options.selection).filter((node) => node.kind === 'ssh')
  const found = await eachOf(chosen, 16, (node) => lookFor(tools, node, options))
  const bytes = found.reduce((sum, {row}) => sum + row.bytes, 0)
  const rows = found.map(({row}) => row)
  if (options.dryRun || bytes === 0) return {nodes: rows}
  const dirty = rows.filter(({files}) => files.length > 0)
  const words = dirty.map(
    ({node, files, bytes: own}) => `${files.length} files of ${node} (${roundSize(own)})`,
  )
  await confirmed(tools, options.yes, `Remove ${words.join(', ')}, which no model needs?`)
  return {nodes: await eachOf(found, 16, ({row, store}) => removeFrom(tools, row, store))}
}

interface Found {
  readonly row: PrunedNode
  readonly store?: Store
}

async function lookFor(
  tools: PruneTools,
  node: NodeSpec,
  options: PruneModelsOptions,
): Promise<Found> {
  const {signal} = tools
  const empty = {node: node.name, files: [], bytes: 0, removed: false}
  try {
    const sudoPassword = sudoPasswordOf(tools, undefined)
    const store = await openNodeStore(tools, node, {access: 'write', sudoPassword, signal})
    const args = [store.look.dir, String(options.olderThanMinutes)]
    const said = await store.run(LIST_GARBAGE, {reads: true, args, signal})
    if (said.code !== 0 || !said.stdout.includes('end=1')) throw failed(node.name, said.stderr)
    const files = said.stdout.split('\n').flatMap((line) => {
      const [, name, size] = /^garbage=([A-Za-z0-9._-]+) (\d+)$/.exec(line) ?? []
      return name ? [{name, sizeBytes: Number(size)}] : []
    })
    const bytes = files.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)
    return {row: {...empty, files, bytes}, store}
  } catch (error) {
    signal.throwIfAborted()
    return {row: {...empty, error: failureOf(error)}}
  }
}

/** Names of files in one call; a command line has room for many more. */
const NAMES_AT_ONCE = 500

async function removeFrom(
  {signal}: PruneTools,
  row: PrunedNode,
  store: Store | undefined,
): Promise<PrunedNode> {
  if (!store || row.files.length === 0) return row
  try {
    const removed = new Set<string>()
    for (let at = 0; at < row.files.length; at += NAMES_AT_ONCE) {
      const names = row.files.slice(at, at + NAMES_AT_ONCE).map(({name}) => name)
      const title = `remove ${names.length} files that no model needs`
      const args = [store.look.dir, ...names]
      const said = await store.run(REMOVE_GARBAGE, {title, args, signal})
      if (said.code !== 0) throw failed(row.node, said.stderr)
      for (const [, name] of said.stdout.matchAll(/^removed=(.+)$/gm)) removed.add(name ?? '')
    }
    const files = row.files.filter(({name}) => removed.has(name))
    const bytes = files.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)
    return {...row, files, bytes, removed: true}
  } catch (error) {
    signal.throwIfAborted()
    return {...row, error: failureOf(error)}
  }
}

function failed(node: string, stderr: string): OllamaxError {
  const why = stderr.trim().split('\n').at(-1) || 'it did not answer as expected'
  return new OllamaxError(
    'ACTION_FAILED',
    `${node}: its store could not be looked through: ${why}`,
    {
      suggestions: [`ollamax doctor ${node}`],
    },
  )
}
