import type {Duplex} from 'node:stream'
import type {Transport} from './request.ts'

/** How bytes reach one node's HTTP API. */
export type Endpoint =
  | NodeEndpoint
  /** Over connections that somebody keeps (see upstream.ts). */
  | {readonly kind: 'upstream'; readonly transport: Transport}

/** A way to a node that opens its connections itself. */
export type NodeEndpoint =
  /** Straight to a URL. `ca` is PEM text. */
  | {
      readonly kind: 'url'
      readonly url: string
      readonly headers: Readonly<Record<string, string>>
      readonly ca?: string
    }
  /** Through a unix socket that the connection holder serves. */
  | {readonly kind: 'socket'; readonly path: string}
  /** Through streams that are opened on demand (an SSH channel each). */
  | {readonly kind: 'stream'; readonly open: (signal: AbortSignal) => Promise<Duplex>}
