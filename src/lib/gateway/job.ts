import type {DispatchRequest} from '../balancer/dispatch-request.ts'
import type {TracedAttempt} from '../trace/tracing.ts'
import type {Attempt, NodeReply} from './attempt.ts'
import {withNumCtx} from './body/changed.ts'
import {type Fields, walk} from './body/walk.ts'
import type {Exchange} from './exchange.ts'
import type {Hedge} from './hedge.ts'
import type {Call} from './route.ts'
import type {Thread} from './thread.ts'

/** One inference on its way: what was asked, and who is at it. */
export interface Job {
  readonly exchange: Exchange
  readonly call: Call
  /** Both change when the answer is taken up by another node. */
  body: Buffer
  request: DispatchRequest
  /** Where the fields of the body stand; absent once it is another one. */
  fields?: Fields
  /** As a node may see them. */
  readonly headers: readonly string[]
  /** The client wants lines that say how long it still has to wait. */
  readonly tellsQueue: boolean
  /** Kept where another node may take the answer up when one breaks off. */
  readonly thread?: Thread | undefined
}

/** A job that waits or runs. */
export interface Running extends Job {
  readonly submittedMs: number
  /** Changes when the answer is taken up by another node. */
  id: number
  path: string
  attempt?: Attempt
  /** The attempt's span, until it has ended. */
  traced?: TracedAttempt | undefined
  hedge?: Hedge | undefined
  reply?: NodeReply
  /** No node had the model, and all were asked anew since. */
  rechecked?: boolean
}

const NUM_CTX = 'X-Ollamax-Num-Ctx'

/** Tells the client in which context it is answered: by the node that is asked last. */
export function tellNumCtx({extra}: Exchange, numCtx: number): void {
  const at = extra.indexOf(NUM_CTX)
  if (at < 0) extra.push(NUM_CTX, `${numCtx}`)
  else extra[at + 1] = `${numCtx}`
}

/** The job's body with another context. */
export function setNumCtx({body, fields}: Job, numCtx: number): readonly Buffer[] {
  const known = fields ?? walk(body)
  return known ? withNumCtx(body, known, numCtx) : [body]
}
