import type {IncomingMessage} from 'node:http'
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
  /** Every model may be used: no body needs to be read for the sake of rights. */
  readonly everyModel: boolean
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

/** Lets requests in. Must be quick: it stands before every one of them. `nowMs`: wall time, ms since the epoch. */
export type Guard = (request: IncomingMessage, nowMs: number) => Admitted | Refused | Pending

/** Lets everybody in, as an Ollama does that listens on loopback. */
export const openGuard = (request: IncomingMessage): Admitted => ({
  kind: 'admitted',
  target: request.url ?? '/',
  tenant: '',
  weight: 1,
  priority: 'normal',
  continues: false,
  everyModel: true,
  mayUse: () => true,
})
