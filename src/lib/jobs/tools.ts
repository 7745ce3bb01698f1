import type {Ask} from '../cluster/ask.ts'
import type {ClusterEdit} from '../cluster/cluster-edit.ts'
import type {Cluster, NodeSpec, SshNode} from '../cluster/node.ts'
import type {Endpoint} from '../ollama/endpoint.ts'
import type {Remote} from '../ssh/remote.ts'
import type {Paths} from '../state/paths.ts'

/** What a job may reach of the outside world; each is loaded on first use. A job takes a `Pick` of it. */
export interface Tools {
  readonly env: Readonly<NodeJS.ProcessEnv>
  /** Ends every wait of this command. */
  readonly signal: AbortSignal
  readonly paths: Paths
  /** The name of the cluster that flags, environment or preferences name. */
  clusterName(): string
  /** The wanted state of the cluster that flags, environment or preferences name. */
  cluster(): Promise<Cluster>
  /** `signal`: instead of the tools' own, for what has to be written after an interrupt. */
  editCluster<T>(
    change: (edit: ClusterEdit) => T,
    options?: {readonly signal?: AbortSignal},
  ): Promise<T>
  /**
   * Opens an SSH connection: one per node and process, later calls share it, and `close()` below closes
   * it. A lost or closed one is dialled anew. What changes the machine goes into the log of changes.
   */
  dial(node: SshNode, options?: DialChoices): Promise<Remote>
  /** How to reach a node's Ollama. For an SSH node: through the connection holder, or a dial of our own. */
  endpoint(node: NodeSpec): Promise<Endpoint>
  readonly ask: Ask
  /** Runs at the end, last registered first. */
  onClose(close: () => Promise<void> | void): void
  close(): Promise<void>
}

/** How to treat a host key that is on no record yet. */
export interface DialChoices {
  /** `true`: take it; a `SHA256:...` fingerprint: take exactly that one; absent: ask. */
  readonly acceptHostKey?: boolean | string
  /** What the user gave beforehand (on stdin, say); used only if the server wants it. */
  readonly secrets?: {readonly password?: string; readonly passphrase?: string}
}

export interface ToolsOptions {
  readonly env: NodeJS.ProcessEnv
  readonly cluster?: string | undefined
  readonly signal: AbortSignal
  /** Absent: nobody can be asked. */
  readonly ask?: Ask
  /** False: `endpoint` of an SSH node neither uses nor starts the connection holder. Default true. */
  readonly reuse?: boolean | undefined
  /** Takes remarks for the user; absent: nobody hears them. */
  readonly note?: (text: string) => void
}
