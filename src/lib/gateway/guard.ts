import {isLoopback} from '../cluster/loopback.ts'
import type {Priority} from '../cluster/priority.ts'
import type {Problem} from './dialects/problem.ts'

/** On whose behalf a request comes, and what it may. */
export interface Admitted {
  readonly kind: 'admitted'
  /** Path and query without credentials. */
  readonly target: string
  /** A key's id; '' where no keys are wanted. */
  readonly tenant: string
  readonly weight: number
  readonly priority: Priority
  /** Answers that break off are taken up by another node. */
  readonly continues: boolean
  /** It may see what stands behind the gateway: the pages of /ollamax/v1, and why a node failed. */
  readonly admin: boolean
  /** Every model may be used: no body needs to be read for the sake of rights. */
  readonly everyModel: boolean
  /** With it later requests for files of models are let in, without the credential of this one; absent: they need none. */
  readonly ticket?: string | undefined
  mayUse(model: string): boolean
}

export interface Refused {
  readonly kind: 'refused'
  readonly target: string
  readonly problem: Problem
}

/** Somebody else has to be asked, see docs/design/0009-workers.md. */
export interface Pending {
  readonly kind: 'pending'
  readonly target: string
  /** Never rejects. */
  readonly decided: Promise<Admitted | Refused>
}

/** What of a request tells whether it may be served. */
export interface Asking {
  readonly method: string
  /** Path and query, as sent. */
  readonly url: string
  /** Name, value, name, value... */
  readonly rawHeaders: readonly string[]
  /** The client's address; '' once it has left. */
  readonly remoteAddress: string
  /** By a name in lower case. */
  header(name: string): string | undefined
}

/** Lets requests in. Must be quick: it stands before every one of them. `nowMs`: wall time, ms since the epoch. */
export type Guard = (request: Asking, nowMs: number) => Admitted | Refused | Pending

/**
 * Lets everybody in, as an Ollama does that listens on loopback. What stands behind it is shown to this machine alone:
 * who opened it to the network has opened the models.
 */
export const openGuard = (request: Asking): Admitted => ({
  kind: 'admitted',
  target: request.url,
  tenant: '',
  weight: 1,
  priority: 'normal',
  continues: false,
  admin: isLoopback(request.remoteAddress),
  everyModel: true,
  mayUse: () => true,
})
