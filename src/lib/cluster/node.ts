/** What a cluster file says it is; files of a later format are refused, not guessed at. */
export const API_VERSION = 'ollamax/v1'

/** What the operator wants of Ollama on a node; absent means "leave it as it is". */
export interface WantedOllama {
  /** For example `0.33.0`. */
  readonly version?: string
  /** Loopback port that Ollama listens on there. */
  readonly port?: number
  /** OLLAMA_* variables for the service; never a secret. */
  readonly env?: Readonly<Record<string, string>>
}

/** Where a secret is to be taken from; the secret itself never stands in the cluster file. */
export type SecretRef = {readonly env: string} | {readonly file: string}

interface NodeCommon {
  /** Unique in the cluster: letters, digits, `.`, `_`, `-`; at most 63 characters. */
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** True: no new request goes there. */
  readonly drained: boolean
  readonly ollama: WantedOllama
}

/** A machine reached over SSH; its Ollama stays on that machine's loopback. */
export interface SshNode extends NodeCommon {
  readonly kind: 'ssh'
  /** `[user@]host[:port]` or an alias of ssh_config, resolved as `ssh` does. */
  readonly ssh: string
  /** Pinned host key, `SHA256:...` as OpenSSH prints it. */
  readonly hostKey?: string
  /** `system`: root-installed service; `user`: under the login user's account; `external`: not ours. */
  readonly install?: 'system' | 'user' | 'external'
}

/** An Ollama (or a compatible gateway) that answers at a URL. */
export interface DirectNode extends NodeCommon {
  readonly kind: 'direct'
  /** `http://` or `https://`, without credentials. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | SecretRef>>
  /** Path of a PEM file with the CA to trust. */
  readonly ca?: string
}

/** The embedded node: our own small engine on this machine. */
export interface EmbeddedNode extends NodeCommon {
  readonly kind: 'embedded'
}

/** One machine that can run models, as the cluster file wants it. */
export type NodeSpec = SshNode | DirectNode | EmbeddedNode

/** A running `ollamax serve` in front of the cluster's nodes. */
export interface GatewaySpec {
  /** `http://` or `https://`, without credentials. */
  readonly url: string
  readonly key?: SecretRef
  /** Path of a PEM file with the CA to trust. */
  readonly ca?: string
  /** The gateway asks a second node beside one that says nothing for longer than usual. Default false. */
  readonly hedge?: boolean
}

/** What commands do when their flags do not say; absent = the command's own default. */
export interface ClusterDefaults {
  /** Longest wait for one node when all nodes are read. */
  readonly readTimeoutMs?: number
  /** How long a model stays in memory after a request, as Ollama's keep_alive; -1 = until stopped. */
  readonly keepAliveSeconds?: number
  /** How long the connection holder keeps an unused SSH connection; 0 = no reuse at all. */
  readonly reuseIdleMs?: number
}

/** What Ollama should be like on all nodes that have the labels. */
export interface NodeGroup {
  /** All of them must fit; none: every node. */
  readonly labels: Readonly<Record<string, string>>
  readonly ollama: Omit<WantedOllama, 'port'>
}

/** A model that should be on nodes of the cluster. */
export interface WantedModel {
  readonly name: string
  /** How many nodes should have it; `all`: every one that the labels allow. */
  readonly replicas: number | 'all'
  readonly placement: {
    /** All of them must fit; none: every node. */
    readonly labels: Readonly<Record<string, string>>
    readonly strategy: 'spread' | 'pack'
  }
  /** Kept in memory there; a pinned one is, too. */
  readonly warm: boolean
  /** Never unloaded or removed by us. */
  readonly pin: boolean
  /** Tokens of context to load it with; absent: the node's own. */
  readonly context?: number
}

/** Moments at which a program of the operator's is run, on the operator's machine. */
export const HOOKS = [
  'before-add',
  'after-add',
  'before-upgrade',
  'after-upgrade',
  'before-drain',
  'after-drain',
] as const
export type HookName = (typeof HOOKS)[number]

/** A program that is run at such a moment. */
export interface Hook {
  /** Absolute path of the program, and its arguments; no shell is between. */
  readonly run: readonly string[]
  /** Longest time that it may take; absent: a minute. */
  readonly timeoutMs?: number
}

/** The wanted state of one cluster, as its YAML file says after validation and defaults. */
export interface Cluster {
  readonly name: string
  readonly nodes: readonly NodeSpec[]
  /** Balancer policy by name; undefined = the default. */
  readonly policy?: string
  readonly defaults?: ClusterDefaults
  readonly gateway?: GatewaySpec
  /** Absent: none. Later ones go before earlier ones, and a node's own `ollama` before all of them. */
  readonly groups?: readonly NodeGroup[]
  /** Absent: none. No two of them are the same model. */
  readonly models?: readonly WantedModel[]
  /** Name that requests may use -> model; absent: none. No target is an alias itself. */
  readonly aliases?: Readonly<Record<string, string>>
  /** Absent: none. */
  readonly hooks?: Readonly<Partial<Record<HookName, Hook>>>
}
