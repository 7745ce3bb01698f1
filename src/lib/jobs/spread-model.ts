import type {NodeSpec} from '../cluster/node.ts'
import type {Reporter} from '../cluster/report.ts'
import {roundSize} from '../cluster/size.ts'
import {OllamaxError} from '../errors.ts'
import {
  type Blob,
  blobsOf,
  digestOf,
  type Manifest,
  manifestPath,
  sizeOf,
} from '../models/manifest.ts'
import {lackOf, RESERVE_BYTES, spaceMissing} from '../models/plan-spread.ts'
import {type BlobSource, relayBlob} from '../models/relay.ts'
import {sendChain} from '../models/send-chain.ts'
import type {Store} from '../models/store.ts'
import {storeSink, writeManifest} from '../models/store-blobs.ts'
import {checkMemory} from './check-memory.ts'
import {copyMeter} from './copy-meter.ts'
import {eachOf} from './each-of.ts'
import {interruptedAfter} from './interrupted.ts'
import {memoryOf} from './memory-of.ts'
import {failureOf, type NodeFailure} from './node-failure.ts'
import {openNodeStore} from './node-store.ts'
import {spreadByApi} from './spread-by-api.ts'
import type {SudoPassword} from './sudo-password.ts'
import type {Tools} from './tools.ts'

export interface SpreadOptions {
  /** As Ollama names it there afterwards. */
  readonly model: string
  readonly manifest: Manifest
  readonly source: BlobSource
  /** The store that the source reads: its host may send by itself. Absent: all goes through this process. */
  readonly origin?: Store | undefined
  readonly to: readonly NodeSpec[]
  /** Bring it also where it can never run. */
  readonly force?: boolean | undefined
  readonly sudoPassword: SudoPassword
  readonly report: Reporter
  readonly signal: AbortSignal
}

/** How it went for one node. */
export interface SpreadNode {
  readonly node: string
  readonly outcome: 'copied' | 'had-it' | 'failed'
  /** Bytes that were sent to it. */
  readonly sentBytes: number
  /** Bytes that an earlier, broken copy had left there, and that were not sent again. */
  readonly resumedBytes: number
  /** Digest of the model that had this name there before. */
  readonly replaced?: string
  readonly error?: NodeFailure
}

type SpreadTools = Pick<Tools, 'cluster' | 'dial' | 'endpoint'>

const AT_ONCE = 16

/** A node on its way to the model. */
interface Target {
  readonly node: string
  readonly store: Store
  readonly lack: ReturnType<typeof lackOf>
  readonly had: string | undefined
  sent: number
  published?: boolean
  error?: NodeFailure
}

/**
 * Brings a model to nodes: only the files that they lack, each read once for all of them, the manifest last. Room is
 * looked at before the first byte. A node that fails is a row with `error`, and the others go on; what came stays there
 * to be gone on with. Throws if the source fails, or the signal aborts.
 */
export async function spreadModel(
  tools: SpreadTools,
  options: SpreadOptions,
): Promise<SpreadNode[]> {
  const {to, report, signal} = options
  const row = async <T>(node: NodeSpec, work: () => Promise<T>): Promise<T | SpreadNode> => {
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      return failedRow(node.name, error, report)
    }
  }
  const overSsh = to.filter((node) => node.kind === 'ssh')
  const others = to.filter((node) => node.kind !== 'ssh')
  const made = eachOf(others, AT_ONCE, (node) => row(node, () => overApi(tools, node, options)))
  made.catch(() => {})
  const prepared = await eachOf(overSsh, AT_ONCE, (node) =>
    row(node, () => prepare(tools, node, options)),
  )
  const targets = prepared.filter((it): it is Target => 'store' in it)
  const begunMs = performance.now()
  try {
    await send(targets, options)
    await eachOf(targets, AT_ONCE, (target) => publish(target, options, begunMs))
  } catch (error) {
    if (!signal.aborted) throw error
    throw interrupted(targets, options)
  }
  const rows = prepared.map((it) => ('store' in it ? rowOf(it, options) : it))
  const all = [...rows, ...(await made)]
  return to.flatMap(({name}) => all.find(({node}) => node === name) ?? [])
}

/** INTERRUPTED that says what is left, and where. */
function interrupted(targets: readonly Target[], {signal, to}: SpreadOptions): OllamaxError {
  const names = to.map(({name}) => name)
  const done = targets.flatMap(({node, published}) => (published ? [node] : []))
  const error = interruptedAfter(signal, done, names)
  const dirs = new Set(targets.map(({store}) => `${store.look.dir}/blobs`))
  return new OllamaxError('INTERRUPTED', error.message, {
    suggestions: [
      ...error.suggestions,
      `what came stays there as *.ollamax in ${[...dirs].join(', ')}; ollamax model prune removes it`,
    ],
    cause: error.cause,
    details: {done},
  })
}

/** A node whose files cannot be reached is asked to make the model itself. */
async function overApi(
  tools: SpreadTools,
  node: NodeSpec,
  options: SpreadOptions,
): Promise<SpreadNode> {
  const {manifest, report} = options
  const {sentBytes, digest} = await spreadByApi(tools, node, options)
  if (digest !== undefined && digest !== manifest.digest) {
    const text = `its Ollama made ${digest.slice(0, 12)} of the same files, where the source has ${manifest.digest.slice(0, 12)}`
    report({kind: 'warn', subject: node.name, text})
  }
  report({kind: 'end', subject: node.name, ok: true, text: 'has it'})
  return {node: node.name, outcome: 'copied', sentBytes, resumedBytes: 0}
}

async function prepare(
  tools: SpreadTools,
  node: NodeSpec,
  options: SpreadOptions,
): Promise<Target> {
  const {manifest, model, report, signal, sudoPassword, force = false} = options
  report({kind: 'start', subject: node.name, step: 'look at its models'})
  const path = manifestPath(model)
  const [store, memory] = await Promise.all([
    openNodeStore(tools, node, {access: 'write', manifests: [path], sudoPassword, signal}),
    memoryOf({...tools, signal}, node),
  ])
  const {look} = store
  const lack = lackOf(manifest, look)
  const sizeBytes = sizeOf(manifest)
  if (lack.blobs.length > 0) checkMemory({node: node.name, model, sizeBytes, memory, force, report})
  const missing = spaceMissing(lack, look.freeBytes)
  if (missing > 0) throw noSpace(store, lack.bytes, missing)
  const there = look.manifests.get(path)
  const had = there && digestOf(there)
  return {node: node.name, store, lack, had, sent: 0}
}

function noSpace({node, look}: Store, needed: number, missing: number): OllamaxError {
  return new OllamaxError(
    'NO_SPACE',
    `${node}: ${roundSize(needed)} are needed in ${look.dir}, and ${roundSize(look.freeBytes ?? 0)} are free there: ${roundSize(missing)} too little (${roundSize(RESERVE_BYTES)} stay free)`,
    {
      suggestions: ['make room there: ollamax model prune, ollamax model remove'],
      details: {node, neededBytes: needed, freeBytes: look.freeBytes, missingBytes: missing},
    },
  )
}

/** Sends what is lacking: host to host where they reach each other, through this process where they do not. */
async function send(targets: readonly Target[], options: SpreadOptions): Promise<void> {
  const wanting = targets.filter((target) => target.lack.blobs.length > 0)
  if (wanting.length === 0) return
  const shares = wanting.map(({node, lack}) => ({node, ...lack}))
  const meter = copyMeter(options.report, `copy ${options.model}`, shares)
  const left = await sendFromHosts(wanting, options, meter)
  if (left.length > 0) await sendThroughUs(left, options, meter)
  meter.done()
}

type Meter = ReturnType<typeof copyMeter>

function fail(target: Target, error: unknown, {report}: SpreadOptions, meter: Meter): void {
  target.error = failureOf(error)
  meter.failed(target.node)
  report({kind: 'end', subject: target.node, ok: false, text: lineOf(target.error)})
}

/** Gives those who could not be reached so. */
async function sendFromHosts(
  wanting: readonly Target[],
  options: SpreadOptions,
  meter: Meter,
): Promise<Target[]> {
  const {origin, manifest, report, signal} = options
  if (!origin) return [...wanting]
  const chain = wanting.map((target) => ({store: target.store, blobs: target.lack.blobs}))
  const counted = wanting.map(({lack}) => new Counted(lack))
  const ends = await sendChain(
    blobsOf(manifest),
    {source: origin, targets: chain},
    {
      signal,
      onBytes(link, blob, there) {
        const at = chain.indexOf(link as (typeof chain)[number])
        const target = wanting[at]
        if (!target) return
        target.sent = counted[at]?.add(blob, there) ?? 0
        meter.sent(target.node, target.sent)
      },
    },
  )
  return wanting.filter((target, at) => {
    const end = ends[at]
    if (end?.kind === 'there') {
      target.sent = target.lack.bytes
      meter.sent(target.node, target.sent)
    }
    if (end?.kind === 'failed') fail(target, end.error, options, meter)
    if (end?.kind !== 'no-way') return false
    const text = `no host reaches it (${end.why}), so the bytes go through this machine`
    report({kind: 'note', subject: target.node, text})
    return true
  })
}

/** Bytes that came to one target, over all files. */
class Counted {
  readonly #parts: ReadonlyMap<string, number>
  readonly #there = new Map<string, number>()

  constructor({parts}: ReturnType<typeof lackOf>) {
    this.#parts = parts
  }

  add(blob: Blob, there: number): number {
    this.#there.set(blob.digest, there - (this.#parts.get(blob.digest) ?? 0))
    return [...this.#there.values()].reduce((sum, bytes) => sum + Math.max(0, bytes), 0)
  }
}

/** Each file is read once and handed to all who lack it and have not failed. */
async function sendThroughUs(
  wanting: readonly Target[],
  options: SpreadOptions,
  meter: Meter,
): Promise<void> {
  const {manifest, source, signal} = options
  for (const blob of blobsOf(manifest)) {
    const takers = wanting.filter(
      (target) => !target.error && target.lack.blobs.some(({digest}) => digest === blob.digest),
    )
    if (takers.length === 0) continue
    const bySink = new Map(takers.map((target) => [storeSink(target.store), target]))
    const before = new Map(takers.map((target) => [target, target.sent]))
    const sinks = [...bySink.keys()]
    const ends = await relayBlob(
      blob,
      {source, sinks},
      {
        signal,
        onBytes(sink, sent) {
          const target = bySink.get(sink)
          if (!target) return
          target.sent = (before.get(target) ?? 0) + sent
          meter.sent(target.node, target.sent)
        },
      },
    )
    for (const [sink, end] of ends) {
      const target = bySink.get(sink)
      if (target && !end.ok) fail(target, end.error, options, meter)
    }
  }
}

async function publish(target: Target, options: SpreadOptions, begunMs: number): Promise<void> {
  const {manifest, model, report, signal} = options
  if (target.error) return
  const subject = target.node
  try {
    if (target.had !== manifest.digest)
      await writeManifest(target.store, {path: manifestPath(model), manifest}, signal)
    target.published = true
    const ms = performance.now() - begunMs
    if (target.lack.blobs.length > 0) report({kind: 'done', subject, step: `copy ${model}`, ms})
    report({
      kind: 'end',
      subject,
      ok: true,
      text: rowOf(target, options).outcome === 'had-it' ? 'had it' : 'has it',
    })
  } catch (error) {
    signal.throwIfAborted()
    target.error = failureOf(error)
    report({kind: 'end', subject, ok: false, text: lineOf(target.error)})
  }
}

const lineOf = ({message}: NodeFailure): string => message.split('\n')[0] ?? ''

function failedRow(node: string, error: unknown, report: Reporter): SpreadNode {
  const failure = failureOf(error)
  report({kind: 'end', subject: node, ok: false, text: lineOf(failure)})
  return {node, outcome: 'failed', sentBytes: 0, resumedBytes: 0, error: failure}
}

function rowOf({node, lack, sent, had, error}: Target, {manifest}: SpreadOptions): SpreadNode {
  const same = had === manifest.digest
  return {
    node,
    outcome: error ? 'failed' : same && lack.blobs.length === 0 ? 'had-it' : 'copied',
    sentBytes: sent,
    resumedBytes: lack.partBytes,
    ...(had !== undefined && !same && !error ? {replaced: had} : {}),
    ...(error ? {error} : {}),
  }
}
