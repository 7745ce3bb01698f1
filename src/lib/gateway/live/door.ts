import type {RequestDecision} from '../../cluster/live-actions.ts'
import type {LiveWireFrame} from '../../cluster/live-wire.ts'

/** What a look at the fleet has found, and from where the next one goes on. */
export interface LiveLook {
  readonly cursor: number
  readonly frame: LiveWireFrame
}

/** Who sees the fleet and all requests while they go on: in this process, or asked in another one. */
export interface LiveDoor {
  /** What is new since the look that gave this cursor; absent: how everything is now. */
  look(cursor?: number): Promise<LiveLook>
  /** Undefined: nobody knows a request of that id, or no longer. */
  decision(requestId: string): Promise<RequestDecision | undefined>
  /** Ends a request that waits or runs, and says so to its client. False: there is none of that id. */
  cancel(requestId: string): Promise<boolean>
}
