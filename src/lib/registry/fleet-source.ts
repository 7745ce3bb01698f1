import {fleetModels} from '../cluster/fleet-models.ts'
import {modelKey} from '../cluster/model-name.ts'
import type {NodeSpec} from '../cluster/node.ts'
import type {Reading} from '../cluster/reading.ts'
import {Turns} from '../cluster/turns.ts'
import {blobsOf, type Manifest, manifestPath, parseManifest} from '../models/manifest.ts'
import type {Store} from '../models/store.ts'
import {readPart} from '../models/store-blobs.ts'
import {nameOf} from './asked.ts'
import {firstThat, type OpenBlob, type RegistrySource} from './source.ts'

export interface FleetSourceOptions {
  /** The nodes as they were last read. */
  readonly nodes: () => readonly {readonly spec: NodeSpec; readonly reading: Reading | undefined}[]
  /** Opens the store of a node over SSH, and reads the manifests of these paths. */
  readonly open: (
    node: NodeSpec,
    manifests: readonly string[],
    signal: AbortSignal,
  ) => Promise<Store>
}

/** An SSH server allows ten commands on a connection as a rule; others want some of them, too. */
const READS_AT_ONCE = 4
/** How long what was seen of a store is taken for what is there. */
const SEEN_MS = 60_000

/** The models that nodes have whose files can be reached, which is over SSH. */
export function fleetSource({nodes, open}: FleetSourceOptions): RegistrySource {
  const seen = new Map<string, {readonly store: Store; readonly atMs: number}>()
  const turns = new Map<string, Turns>()
  /** Of the files of all manifests that were given. */
  const sizes = new Map<string, number>()
  const up = () => nodes().filter((it) => it.spec.kind === 'ssh' && it.reading?.kind === 'up')
  const opened = async (spec: NodeSpec, manifests: readonly string[], signal: AbortSignal) => {
    const store = await open(spec, manifests, signal)
    seen.set(spec.name, {store, atMs: performance.now()})
    return store
  }
  const storeOf = async (spec: NodeSpec, signal: AbortSignal): Promise<Store> => {
    const last = seen.get(spec.name)
    if (last && performance.now() - last.atMs < SEEN_MS) return last.store
    return opened(spec, [], signal)
  }
  const turnsOf = (node: string) => {
    const there = turns.get(node) ?? new Turns(READS_AT_ONCE)
    turns.set(node, there)
    return there
  }
  return {
    async manifest(name, tag, signal) {
      const model = nameOf(name, tag)
      const path = manifestPath(model)
      return firstThat(
        holdersOf(model, up()).map((spec) => async () => {
          const store = await opened(spec, [path], signal)
          const bytes = store.look.manifests.get(path)
          const manifest = bytes && parseManifest(bytes, `${model} on ${spec.name}`)
          if (!manifest || !isWhole(manifest, store)) return undefined
          for (const {digest, sizeBytes} of blobsOf(manifest)) sizes.set(digest, sizeBytes)
          return manifest
        }),
      )
    },
    async blob(_, digest, signal) {
      const whole = sizes.get(digest)
      const sizeIn = ({spec}: {readonly spec: NodeSpec}) =>
        seen.get(spec.name)?.store.look.blobs.get(digest)?.sizeBytes ?? -1
      // The gateway may have been started since the manifest was asked for.
      if (whole === undefined)
        await Promise.all(up().map(({spec}) => storeOf(spec, signal).catch(() => undefined)))
      // What was cut off somewhere is smaller than it is.
      const nodes = [...up()].sort((a, b) => sizeIn(b) - sizeIn(a))
      return firstThat(
        nodes.map(({spec}) => async (): Promise<OpenBlob | undefined> => {
          const blob = (await storeOf(spec, signal)).look.blobs.get(digest)
          if (!blob || (whole !== undefined && blob.sizeBytes !== whole)) return undefined
          return {
            sizeBytes: blob.sizeBytes,
            read: (part, {take, signal: until}) => {
              const read = async () =>
                readPart(await storeOf(spec, until), blob, {...part, take, signal: until})
              return turnsOf(spec.name)
                .run(read, until)
                .catch((error: unknown) => {
                  // Its connection may be gone: the next one looks anew. Ollama hangs up on a file in every pull, which tells
                  // nothing about the node.
                  if (!until.aborted) seen.delete(spec.name)
                  throw error
                })
            },
          }
        }),
      )
    },
  }
}

/** Those that have what most nodes have under this name first, as `model sync` would choose. */
function holdersOf(
  model: string,
  nodes: readonly {readonly spec: NodeSpec; readonly reading: Reading | undefined}[],
): NodeSpec[] {
  const readings = nodes.flatMap(({reading}) => reading ?? [])
  const found = fleetModels(readings).find(({name}) => modelKey(name) === modelKey(model))
  const names = found?.versions.flatMap((version) => version.nodes) ?? []
  return names.flatMap((name) => nodes.find(({spec}) => spec.name === name)?.spec ?? [])
}

const isWhole = (manifest: Manifest, {look}: Store) =>
  blobsOf(manifest).every(({digest, sizeBytes}) => look.blobs.get(digest)?.sizeBytes === sizeBytes)
