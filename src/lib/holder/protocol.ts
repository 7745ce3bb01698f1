/** The node to hold a connection to, and the port there that its streams lead to. */
export interface HeldNode {
  readonly name: string
  readonly ssh: string
  readonly hostKey?: string
  readonly port: number
}

/** One JSON line each way per connection to the control socket. */
export type HolderRequest =
  /** `env`: what the dial may need of the caller's surroundings (agent, configuration, secrets). */
  | {
      readonly op: 'open'
      readonly node: HeldNode
      readonly env: Readonly<Record<string, string>>
    }
  /** Closes the link of a node that is no longer in the cluster. */
  | {readonly op: 'drop'; readonly name: string}
  | {readonly op: 'status'}
  | {readonly op: 'stop'}

export type HolderReply =
  | {readonly kind: 'opened'; readonly socket: string}
  | {readonly kind: 'status'; readonly status: HolderStatus}
  /** `held`: there was a link. */
  | {readonly kind: 'dropped'; readonly held: boolean}
  | {readonly kind: 'stopping'}
  | {
      readonly kind: 'error'
      /** A code of the error catalogue. */
      readonly code: string
      readonly message: string
      readonly suggestions: readonly string[]
      readonly details?: Readonly<Record<string, unknown>>
    }

export interface HolderStatus {
  readonly pid: number
  readonly links: readonly HeldLink[]
}

export interface HeldLink {
  readonly node: string
  readonly ssh: string
  readonly connected: boolean
  /** Streams open through it now. */
  readonly streams: number
}

/** Longest line that either side reads. */
export const MAX_LINE = 64 * 1024
