import {readFile, stat} from 'node:fs/promises'
import {fitsGlob} from '../cluster/glob.ts'
import {labelProblem, nameProblem} from '../cluster/names.ts'
import type {NodeSpec, SshNode} from '../cluster/node.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {readAnsibleIni} from '../inventory/ansible-ini.ts'
import {readAnsibleYaml} from '../inventory/ansible-yaml.ts'
import {readCsv} from '../inventory/csv.ts'
import type {Inventory, InventoryEntry} from '../inventory/entry.ts'
import {hostNames} from '../ssh/ssh-config.ts'
import {parseTarget} from './add-target.ts'
import type {Tools} from './tools.ts'

export type InventoryFormat = 'ssh-config' | 'ansible' | 'csv'

export interface ImportInventoryOptions {
  /** Path; absent: the user's ssh_config. */
  readonly file?: string | undefined
  /** Absent: as the file's name and text say. */
  readonly format?: InventoryFormat | undefined
  /** Only machines whose name fits one of these globs; none: all of them. */
  readonly hosts: readonly string[]
  /** Given to each of them, before what the inventory says. */
  readonly labels: Readonly<Record<string, string>>
  readonly dryRun: boolean
}

/** What became of a machine of the inventory. */
export interface ImportedNode {
  readonly name: string
  readonly target: string
  readonly labels: Readonly<Record<string, string>>
  /** `there`: the cluster has it already; `duplicate`: the inventory names it twice; `refused`: see `why`. */
  readonly outcome: 'added' | 'planned' | 'there' | 'duplicate' | 'refused'
  readonly why?: string
}

export interface ImportedInventory {
  readonly cluster: string
  readonly format: InventoryFormat
  readonly nodes: readonly ImportedNode[]
  /** What of the inventory was left out. */
  readonly notes: readonly string[]
}

/** Inventories are read as a whole. */
const MAX_BYTES = 16 * 2 ** 20

/**
 * Adds the machines of an inventory to the cluster file, without touching a machine. What cannot be a node is a row
 * that says why, and stops no other. STATE_IO, BAD_INPUT (names the line), NODE_NOT_FOUND if none fits.
 */
export async function importInventory(
  tools: Pick<Tools, 'cluster' | 'editCluster' | 'clusterName' | 'env'>,
  options: ImportInventoryOptions,
): Promise<ImportedInventory> {
  const {format, inventory} = await readInventory(tools, options)
  const {hosts, dryRun} = options
  const chosen = inventory.entries.filter(
    ({name}) => hosts.length === 0 || hosts.some((glob) => fitsGlob(glob, name)),
  )
  if (chosen.length === 0)
    throw new OllamaxError('NODE_NOT_FOUND', 'the inventory names no machine that fits', {
      suggestions: ['see all of them: leave out --host, and add --dry-run'],
      details: {names: inventory.entries.slice(0, 100).map(({name}) => name)},
    })
  const sort = (nodes: readonly NodeSpec[]) => sortOut(nodes, chosen, options)
  const rows = dryRun
    ? sort((await tools.cluster()).nodes).map((row) =>
        row.outcome === 'added' ? {...row, outcome: 'planned' as const} : row,
      )
    : await tools.editCluster((edit) => {
        const sorted = sort(edit.cluster.nodes)
        for (const row of sorted) if (row.outcome === 'added') edit.addNode(nodeOf(row))
        return sorted
      })
  return {cluster: tools.clusterName(), format, nodes: rows, notes: inventory.notes}
}

const nodeOf = ({name, target, labels}: ImportedNode): SshNode => ({
  kind: 'ssh',
  name,
  ssh: target,
  labels,
  drained: false,
  ollama: {},
})

/** Says of each machine what is to become of it; pure. */
function sortOut(
  nodes: readonly NodeSpec[],
  entries: readonly InventoryEntry[],
  {labels}: ImportInventoryOptions,
): ImportedNode[] {
  const names = new Map(nodes.map((node) => [node.name, 'the cluster']))
  const targets = new Map(
    nodes.flatMap((node) => (node.kind === 'ssh' ? [[node.ssh, node.name]] : [])),
  )
  const seen = new Map<string, string>()
  return entries.map((entry): ImportedNode => {
    const row = {name: entry.name, target: entry.ssh, labels: {...labels, ...entry.labels}}
    const there = targets.get(entry.ssh)
    if (there !== undefined) return {...row, outcome: 'there', why: `it is the node ${there}`}
    const twin = seen.get(entry.ssh)
    if (twin !== undefined)
      return {...row, outcome: 'duplicate', why: `${twin} has the same address`}
    const problem = problemOf(row)
    if (problem !== undefined) return {...row, outcome: 'refused', why: problem}
    const taken = names.get(entry.name)
    if (taken !== undefined)
      return {...row, outcome: 'refused', why: `${taken} has another machine of that name`}
    seen.set(entry.ssh, entry.name)
    names.set(entry.name, 'the inventory')
    return {...row, outcome: 'added'}
  })
}

function problemOf({name, target, labels}: Pick<ImportedNode, 'name' | 'target' | 'labels'>) {
  for (const [key, value] of Object.entries(labels)) {
    const problem = labelProblem(key, value)
    if (problem !== undefined) return problem
  }
  try {
    if (parseTarget(target).kind !== 'ssh') return 'its address is not one of SSH'
  } catch (error) {
    return messageOf(error)
  }
  return nameProblem(name)
}

async function readInventory(
  tools: Pick<Tools, 'env'>,
  options: ImportInventoryOptions,
): Promise<{readonly format: InventoryFormat; readonly inventory: Inventory}> {
  const file = options.file ?? tools.env.OLLAMAX_SSH_CONFIG
  if (options.file === undefined || options.format === 'ssh-config')
    return {format: 'ssh-config', inventory: await fromSshConfig(tools, file)}
  const text = await readText(options.file)
  const format = options.format ?? formatOf(options.file, text)
  if (format === 'ssh-config') return {format, inventory: await fromSshConfig(tools, file)}
  if (format === 'csv') return {format, inventory: readCsv(text)}
  if (!looksLikeYaml(options.file, text)) return {format, inventory: readAnsibleIni(text)}
  const {readYaml} = await import('../state/edit.ts')
  return {format, inventory: readAnsibleYaml(readYaml(text))}
}

/** An alias of ssh_config is a target as it is. */
async function fromSshConfig(
  {env}: Pick<Tools, 'env'>,
  file: string | undefined,
): Promise<Inventory> {
  const names = await hostNames({env, ...(file === undefined ? {} : {file})})
  return {entries: names.map((name) => ({name, ssh: name, labels: {}})), notes: []}
}

async function readText(file: string): Promise<string> {
  try {
    const {size} = await stat(file)
    if (size > MAX_BYTES) throw new Error(`it has more than ${MAX_BYTES} bytes`)
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new OllamaxError('STATE_IO', `cannot read ${file}: ${messageOf(error)}`, {cause: error})
  }
}

function formatOf(file: string, text: string): InventoryFormat {
  if (/\.csv$/i.test(file)) return 'csv'
  if (/\.(ya?ml|ini)$/i.test(file)) return 'ansible'
  if (/^\s*(?:Host|Include)\s+\S/im.test(text) && !/^\s*\[/m.test(text)) return 'ssh-config'
  const [first = ''] = text.split('\n').filter((line) => line.trim() !== '' && !/^\s*#/.test(line))
  return /,/.test(first) && !/[[=]/.test(first) ? 'csv' : 'ansible'
}

const looksLikeYaml = (file: string, text: string) =>
  /\.ya?ml$/i.test(file) || (!/\.ini$/i.test(file) && /^(?:---|[\w-]+:\s*(?:#.*)?)$/m.test(text))
