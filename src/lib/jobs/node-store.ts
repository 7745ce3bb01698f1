import type {NodeSpec} from '../cluster/node.ts'
import {effectiveOllama} from '../desired/effective.ts'
import {openStore, type Store} from '../models/store.ts'
import {overSsh} from './ssh-node.ts'
import type {SudoPassword} from './sudo-password.ts'
import type {Tools} from './tools.ts'

export interface NodeStoreOptions {
  readonly access: 'read' | 'write'
  /** Paths of manifests to be read. */
  readonly manifests?: readonly string[]
  readonly sudoPassword: SudoPassword
  readonly signal: AbortSignal
}

/** Opens the store of a node over SSH, where its own entry or its groups say that models lie. BAD_INPUT for another kind of node, and what `openStore` throws. */
export async function openNodeStore(
  tools: Pick<Tools, 'dial' | 'cluster'>,
  spec: NodeSpec,
  options: NodeStoreOptions,
): Promise<Store> {
  const node = overSsh(spec, 'reach the files of its models')
  const {sudoPassword, ...rest} = options
  const remote = await tools.dial(node)
  return openStore(remote, {
    ...rest,
    node: node.name,
    dir: effectiveOllama(await tools.cluster(), node).env?.OLLAMA_MODELS,
    install: node.install,
    sudoPassword: () => sudoPassword(node.name),
  })
}
