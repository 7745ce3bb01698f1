import type {Fleet} from '../gateway/fleet.ts'
import {openNodeStore} from '../jobs/node-store.ts'
import {sudoPasswordOf} from '../jobs/sudo-password.ts'
import type {Tools} from '../jobs/tools.ts'
import type {Log} from '../log/make-log.ts'
import {registryCache} from '../registry/cache.ts'
import {readyDirectory} from '../registry/cache-files.ts'
import {fleetSource} from '../registry/fleet-source.ts'
import {type OpenRegistry, openRegistry} from '../registry/open-registry.ts'
import {firstOf, type RegistrySource} from '../registry/source.ts'

/** What the registry of models has beside what nodes have. */
export interface ModelRegistrySettings {
  /** Absent: only what nodes have is offered. */
  readonly cache?: {
    readonly dir: string
    readonly maxBytes: number
    /** Address of the registry that is asked for what no node has. */
    readonly upstream: string
  }
}

export interface ModelRegistryOptions extends ModelRegistrySettings {
  readonly fleet: Pick<Fleet, 'nodes'>
  readonly log: Log
}

export type ModelRegistry = OpenRegistry

/**
 * Starts to offer models to the nodes' own pull: those of the nodes, then those of the cache's registry. BAD_INPUT where
 * nothing can be kept in the cache's directory.
 */
export async function modelRegistry(
  tools: Pick<Tools, 'cluster' | 'dial' | 'ask' | 'env'>,
  {fleet, log, cache}: ModelRegistryOptions,
): Promise<ModelRegistry> {
  if (cache) await readyDirectory(cache.dir)
  const sudoPassword = sudoPasswordOf(tools, undefined)
  const nodes = fleetSource({
    nodes: () => fleet.nodes(),
    open: (node, manifests, signal) =>
      openNodeStore(tools, node, {access: 'read', manifests, sudoPassword, signal}),
  })
  const kept = cache && registryCache({...cache, note: (text, fields) => log.info(text, fields)})
  const here: RegistrySource | undefined = kept && {
    manifest: async () => undefined,
    blob: (name, digest) => kept.kept(name, digest),
  }
  const registry = await openRegistry({
    // What lies here already need not be fetched from a node.
    source: firstOf([...(here ? [here] : []), nodes, ...(kept ? [kept] : [])]),
    failed: (error, path) => log.warn('a model could not be given to a node', {err: error, path}),
  })
  return {
    ...registry,
    async close() {
      kept?.close()
      await registry.close()
    },
  }
}
