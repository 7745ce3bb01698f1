import {parseModelName} from '../cluster/model-name.ts'
import type {NodeSpec} from '../cluster/node.ts'
import type {Reporter} from '../cluster/report.ts'
import {roundSize} from '../cluster/size.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {deleteModel, nameModel, pull} from '../ollama/client.ts'
import type {Endpoint} from '../ollama/endpoint.ts'
import {checkMemory} from './check-memory.ts'
import type {NodeMemory} from './memory-of.ts'
import type {Tools} from './tools.ts'

export interface PullOnNodeOptions {
  readonly model: string
  readonly insecure?: boolean
  /** Address of the registry that is asked instead of the model's own; the model gets its own name all the same. */
  readonly registry?: string | undefined
  /** Room where its models lie; absent: unknown. */
  readonly freeBytes?: number | undefined
  /** Absent: unknown. */
  readonly memory?: NodeMemory | undefined
  /** Pull it also where it can never run. */
  readonly force?: boolean | undefined
  readonly report: Reporter
  readonly signal: AbortSignal
}

/** A large model's checksum is reckoned in silence. */
const PULL_LIMITS = {
  connectTimeoutMs: 30_000,
  headersTimeoutMs: 60_000,
  idleTimeoutMs: 600_000,
}
const EVERY_MS = 100
/** For a node to give a model another name, or to take one away. */
const NAMING = {connectTimeoutMs: 30_000, headersTimeoutMs: 60_000}

/**
 * Lets a node's Ollama pull a model, with its own resume; ends the pull when the call is aborted. NO_SPACE as soon as
 * the node tells that more is to come than there is room for; MODEL_NOT_FOUND where the registry has no such model;
 * NODE_ERROR with the node's words otherwise.
 */
export async function pullOnNode(
  tools: Pick<Tools, 'endpoint'>,
  node: NodeSpec,
  options: PullOnNodeOptions,
): Promise<void> {
  try {
    await pullAt(await tools.endpoint(node), node.name, options)
  } catch (error) {
    options.signal.throwIfAborted()
    throw translated(error, {model: options.model, node: node.name}, options.registry)
  }
}

/**
 * As `pullOnNode`, of any Ollama, with its errors as they are. What is reported are the bytes of all files together:
 * Ollama tells of one after the other.
 */
export async function pullAt(
  endpoint: Endpoint,
  subject: string,
  options: PullOnNodeOptions,
): Promise<void> {
  const {model, report, signal} = options
  const step = `pull ${model}`
  const beganMs = performance.now()
  const sums = new Sums()
  let toldMs = 0
  let looked = 0
  report({kind: 'start', subject, step})
  const source = sourceOf(options)
  const request = {model: source.model, ...(source.insecure ? {insecure: true} : {})}
  for await (const line of pull(endpoint, request, {signal, ...PULL_LIMITS})) {
    const {digest, total, completed} = line
    if (digest === undefined || total === undefined) continue
    sums.add(digest, total, completed ?? 0)
    // How large it is, is told file by file.
    if (sums.total > looked) {
      looked = sums.total
      const {memory, force = false} = options
      checkMemory({node: subject, model, sizeBytes: looked, memory, force, report})
    }
    checkRoom(subject, sums, options)
    const nowMs = performance.now()
    if (nowMs - toldMs < EVERY_MS && sums.done < sums.total) continue
    toldMs = nowMs
    report({kind: 'bytes', subject, step, done: sums.done, total: sums.total})
  }
  if (source.model !== model) {
    const call = {signal, ...NAMING}
    await nameModel(endpoint, {source: source.model, destination: model}, call)
    await deleteModel(endpoint, source.model, call)
  }
  report({kind: 'done', subject, step, ms: performance.now() - beganMs})
}

/** What the node is asked for: the model by its own name, or as another registry names it. */
function sourceOf({model, insecure = false, registry}: PullOnNodeOptions) {
  if (registry === undefined) return {model, insecure}
  const {protocol, host} = new URL(registry)
  const {namespace, model: own, tag} = parseModelName(model) ?? {}
  return {
    model: `${host}/${namespace}/${own}:${tag}`,
    insecure: insecure || protocol === 'http:',
  }
}

/** What Ollama tells of each file, summed up. */
class Sums {
  readonly #files = new Map<string, {total: number; done: number; there: number}>()

  add(digest: string, total: number, done: number): void {
    const there = this.#files.get(digest)?.there ?? done
    this.#files.set(digest, {total, done, there})
  }
  get total(): number {
    return [...this.#files.values()].reduce((sum, file) => sum + file.total, 0)
  }
  get done(): number {
    return [...this.#files.values()].reduce((sum, file) => sum + file.done, 0)
  }
  /** Bytes that were there when the pull began. */
  get there(): number {
    return [...this.#files.values()].reduce((sum, file) => sum + file.there, 0)
  }
}

function checkRoom(node: string, sums: Sums, {freeBytes, model}: PullOnNodeOptions): void {
  const needed = sums.total - sums.there
  if (freeBytes === undefined || needed <= freeBytes) return
  throw new OllamaxError(
    'NO_SPACE',
    `${node}: ${model} needs ${roundSize(needed)} more, and ${roundSize(freeBytes)} are free there`,
    {
      suggestions: ['make room there: ollamax model prune, ollamax model remove'],
      details: {node, model, neededBytes: needed, freeBytes},
    },
  )
}

function translated(
  error: unknown,
  about: {model: string; node: string},
  registry = 'https://registry.ollama.ai',
): unknown {
  if (!OllamaxError.is(error, 'NODE_ERROR')) return error
  const words = messageOf(error)
  const {model, node} = about
  if (/file does not exist|not found/.test(words))
    return new OllamaxError('MODEL_NOT_FOUND', `${node} finds no model ${model} in its registry`, {
      cause: error,
      suggestions: ['check the spelling at https://ollama.com/library'],
      details: about,
    })
  if (/no space left/i.test(words))
    return new OllamaxError('NO_SPACE', `${node}: the disk is full: ${words}`, {
      cause: error,
      suggestions: ['make room there: ollamax model prune, ollamax model remove'],
      details: about,
    })
  return new OllamaxError('NODE_ERROR', `${node} cannot pull ${model}: ${words}`, {
    cause: error,
    suggestions: [
      `does that machine reach the registry? ollamax node exec ${node} -- curl -sI ${registry}/v2/`,
      'without internet: ollamax model import FILE, or ollamax model copy',
    ],
    details: about,
  })
}
