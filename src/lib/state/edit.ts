import {isDeepStrictEqual} from 'node:util'
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  parse,
  type ToStringOptions,
  type YAMLMap,
  YAMLSeq,
} from 'yaml'
import type {ClusterEdit} from '../cluster/cluster-edit.ts'
import {nearest} from '../cluster/nearest.ts'
import type {Cluster, NodeSpec} from '../cluster/node.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {type Compiled, compile, type Source} from './compile.ts'
import {keepText} from './keep-text.ts'
import {clusterDirectory, clusterFile, emptyCluster, readCluster} from './load.ts'
import {type LockOptions, withLock} from './lock.ts'
import type {Paths} from './paths.ts'
import {writeWhole} from './write-file.ts'

export interface Where {
  readonly paths: Pick<Paths, 'config'>
  /** The cluster's name. */
  readonly name: string
}

/**
 * Changes a cluster file under the lock: re-reads it, applies `change`, validates what came out and
 * replaces the file as a whole. If anything throws, the file is as before. Comments, order and styles
 * survive. BAD_INPUT if the changed file would not be valid; LOCKED, CLUSTER_NOT_FOUND, CONFIG_INVALID.
 */
export async function editCluster<T>(
  where: Where,
  change: (edit: ClusterEdit) => T,
  options: LockOptions = {},
): Promise<T> {
  const file = clusterFile(where.paths, where.name)
  return withLock(
    clusterDirectory(where.paths),
    async () => {
      const text = readCluster(where.paths, where.name) ?? emptyCluster(where.name)
      const source = {name: where.name, text, file}
      const edit = new DocumentEdit(compile(source), text)
      const result = change(edit)
      options.signal?.throwIfAborted()
      const changed = edit.render(source)
      if (changed !== text) await writeWhole(file, changed)
      return result
    },
    options,
  )
}

/** The value at a path as `ClusterEdit.set` takes it, in plain YAML terms; undefined: it is not set. */
export function settingAt(source: Source, path: readonly string[]): unknown {
  const edit = new DocumentEdit(compile(source), source.text)
  return edit.get(path)
}

/** What a YAML text holds. BAD_INPUT where it is none. */
export function readYaml(text: string): unknown {
  try {
    return parse(text, {maxAliasCount: 100})
  } catch (error) {
    throw new OllamaxError('BAD_INPUT', `it is no YAML: ${messageOf(error).split('\n')[0]}`, {
      cause: error,
    })
  }
}

/** What a word on the command line means as YAML: `4`, `true`, `{env: X}`; a text where it is none of that. */
export function yamlValue(text: string): unknown {
  try {
    return parse(text, {maxAliasCount: 0}) ?? text
  } catch {
    return text
  }
}

/** Works on YAML's syntax tree, which holds the comments, and on the meaning side by side. */
class DocumentEdit implements ClusterEdit {
  readonly #document: Document
  #cluster: Cluster
  /** What the library would have printed before any change. */
  readonly #before: string
  readonly #style: ToStringOptions
  #touched = false

  constructor(compiled: Compiled, text: string) {
    this.#document = compiled.document
    this.#cluster = compiled.cluster
    this.#style = styleOf(text)
    this.#before = this.#text()
  }

  get cluster(): Cluster {
    return this.#cluster
  }

  addNode(node: NodeSpec): void {
    if (this.#cluster.nodes.some(({name}) => name === node.name))
      throw new OllamaxError(
        'NODE_EXISTS',
        `the cluster ${this.#cluster.name} has a node "${node.name}" already`,
        {
          suggestions: [
            'give it another name with --name',
            `or remove the other one: ollamax node remove ${node.name}`,
          ],
        },
      )
    this.#nodes().add(this.#document.createNode(entryOf(node)))
    this.#now([...this.#cluster.nodes, node])
  }

  replaceNode(name: string, node: NodeSpec): void {
    const index = this.#indexOf(name)
    if (node.name !== name && this.#cluster.nodes.some((other) => other.name === node.name))
      throw new OllamaxError(
        'NODE_EXISTS',
        `the cluster ${this.#cluster.name} has a node "${node.name}" already`,
      )
    const before = this.#cluster.nodes[index]
    const item = this.#nodes().items[index]
    if (before && isMap(item)) this.#merge(item, entryOf(before), entryOf(node))
    else this.#nodes().items[index] = this.#document.createNode(entryOf(node))
    this.#now(this.#cluster.nodes.map((old, i) => (i === index ? node : old)))
  }

  removeNode(name: string): void {
    const index = this.#indexOf(name)
    const nodes = this.#nodes()
    const gone = nodes.items[index] as {commentBefore?: string; comment?: string} | undefined
    // A comment above a node may speak of the ones below it as well, so it stays.
    const comment = [gone?.commentBefore, gone?.comment].filter(Boolean).join('\n')
    nodes.items.splice(index, 1)
    if (comment) {
      const next = nodes.items[index] as {commentBefore?: string} | undefined
      if (next) next.commentBefore = [comment, next.commentBefore].filter(Boolean).join('\n')
      else nodes.comment = [comment, nodes.comment].filter(Boolean).join('\n')
    }
    this.#now(this.#cluster.nodes.filter((_, i) => i !== index))
  }

  /** A node is named in a path, and counted in the file. */
  #placeOf(path: readonly string[]): Array<string | number> {
    const [first = '', node = '', ...rest] = path
    return first === 'nodes' && path.length > 1
      ? ['nodes', this.#indexOf(node), ...rest]
      : [...path]
  }

  get(path: readonly string[]): unknown {
    let at: unknown = this.#document.toJS({maxAliasCount: 100})
    for (const step of this.#placeOf(path)) {
      if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined
      at = (at as Record<PropertyKey, unknown>)[step]
    }
    return at
  }

  set(path: readonly string[], value: unknown): void {
    const place = this.#placeOf(path)
    if (value === undefined) this.#document.deleteIn(place)
    else this.#document.setIn(place, value)
    this.#touched = true
    const {name} = this.#cluster
    this.#cluster = changed({name, text: this.#text(), file: name}).cluster
  }

  /** The text to write: the one that was read if nothing was changed, and as near to it as can be. */
  render(source: Source): string {
    if (!this.#touched) return source.text
    const after = this.#text()
    const kept = keepText(source.text, this.#before, after)
    if (kept !== undefined && this.#means(kept) && comments(kept) >= comments(after)) return kept
    changed({...source, text: after})
    if (this.#means(after)) return after
    // For example an anchor in one node that another one refers to: better refused than changed twice.
    throw new OllamaxError(
      'CONFIG_INVALID',
      `${source.file} is written in a way that this change cannot be made in without changing more`,
      {
        suggestions: [
          'change it by hand: ollamax config edit',
          'write it without anchors (&) and aliases (*)',
        ],
      },
    )
  }

  #means(text: string): boolean {
    try {
      const {cluster} = compile({name: this.#cluster.name, text, file: ''})
      return isDeepStrictEqual(cluster, this.#cluster)
    } catch {
      return false
    }
  }

  #text(): string {
    return this.#document.toString(this.#style)
  }

  #now(nodes: readonly NodeSpec[]): void {
    this.#cluster = {...this.#cluster, nodes}
    this.#touched = true
  }

  #indexOf(name: string): number {
    const names = this.#cluster.nodes.map((node) => node.name)
    const index = names.indexOf(name)
    if (index >= 0) return index
    const near = nearest(name, names)
    throw new OllamaxError(
      'NODE_NOT_FOUND',
      `the cluster ${this.#cluster.name} has no node "${name}"`,
      {
        suggestions: [near ? `did you mean "${near}"?` : 'see them all: ollamax node list'],
        details: {name, nodes: names},
      },
    )
  }

  /** The list of nodes; made if there is none yet. */
  #nodes(): YAMLSeq {
    const found = this.#document.get('nodes', true)
    if (isSeq(found)) {
      if (found.items.length === 0) found.flow = false
      return found
    }
    const nodes = new YAMLSeq()
    const comment = isScalar(found) ? (found.comment ?? found.commentBefore) : undefined
    if (comment) nodes.commentBefore = comment
    this.#document.set('nodes', nodes)
    return nodes
  }

  /** Writes into `map` only what differs between two plain entries, so that all else keeps its text. */
  #merge(map: YAMLMap, before: Entry, after: Entry): void {
    for (const key of Object.keys(before)) if (!(key in after)) map.delete(key)
    for (const [key, value] of Object.entries(after)) {
      if (isDeepStrictEqual(before[key], value)) continue
      const inner = map.get(key, true)
      if (isMap(inner) && isEntry(before[key]) && isEntry(value))
        this.#merge(inner, before[key], value)
      else map.set(key, isEntry(value) ? this.#document.createNode(value) : value)
    }
  }
}

type Entry = Readonly<Record<string, unknown>>
const isEntry = (value: unknown): value is Entry => typeof value === 'object' && value !== null

const comments = (text: string) => text.match(/#/g)?.length ?? 0

/** How this file is written, as far as the library can write the same way. */
function styleOf(text: string): ToStringOptions {
  const indent = /^( +)[A-Za-z-]/m.exec(text)?.[1]?.length ?? 2
  return {
    lineWidth: 0,
    indent: Math.min(Math.max(indent, 2), 8),
    indentSeq: !/^nodes:[^\n]*\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*-/m.test(text),
    flowCollectionPadding: /[{[] +\S/.test(text),
  }
}

/** The file would be invalid after the change: the change is at fault, so no line numbers. */
function changed(source: Source): Compiled {
  try {
    return compile(source)
  } catch (error) {
    if (!OllamaxError.is(error, 'CONFIG_INVALID')) throw error
    const problems = (error.details?.problems ?? []) as readonly {message: string}[]
    throw new OllamaxError(
      'BAD_INPUT',
      `this cannot stand in a cluster file: ${problems.map(({message}) => message).join('; ')}`,
      {cause: error},
    )
  }
}

/** A node as it is written in YAML: defaults are left out. */
function entryOf(node: NodeSpec): Entry {
  const full = <T extends object>(value: T | undefined) =>
    value && Object.keys(value).length > 0 ? value : undefined
  const entry: Record<string, unknown> = {
    name: node.name,
    ssh: node.kind === 'ssh' ? node.ssh : undefined,
    url: node.kind === 'direct' ? node.url : undefined,
    embedded: node.kind === 'embedded' ? true : undefined,
    hostKey: node.kind === 'ssh' ? node.hostKey : undefined,
    install: node.kind === 'ssh' ? node.install : undefined,
    headers: node.kind === 'direct' ? full(node.headers) : undefined,
    ca: node.kind === 'direct' ? node.ca : undefined,
    labels: full(node.labels),
    drained: node.drained || undefined,
    ollama: full({...node.ollama, env: full(node.ollama.env)} as object),
  }
  const ollama = entry.ollama as Record<string, unknown> | undefined
  if (ollama && ollama.env === undefined) delete ollama.env
  if (ollama && Object.keys(ollama).length === 0) delete entry.ollama
  for (const key of Object.keys(entry)) if (entry[key] === undefined) delete entry[key]
  return entry
}
