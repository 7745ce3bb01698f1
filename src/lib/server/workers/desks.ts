import type {Key} from '../../auth/key.ts'
import type {Taken} from '../../auth/rate-limit.ts'
import type {DispatchRequest, Outcome, Refusal, SendOrder} from '../../balancer/dispatch-request.ts'
import type {LiveRequest} from '../../cluster/live.ts'
import type {RequestDecision} from '../../cluster/live-actions.ts'
import type {NodeSpec} from '../../cluster/node.ts'
import type {Reading} from '../../cluster/reading.ts'
import type {Recording} from '../../cluster/recording.ts'
import type {RequestRecord} from '../../cluster/request-record.ts'
import type {DecisionRecord, RoutePlan} from '../../cluster/routing.ts'
import type {Code} from '../../errors.ts'
import type {MomentView} from '../../gateway/insight.ts'
import type {LiveLook} from '../../gateway/live/door.ts'
import type {ListenAddress} from '../listen-address.ts'

// What the primary and its workers say to each other. All of it goes through JSON.

type Entry = Readonly<Record<string, unknown>>

/** A node as the primary knows it, see `FleetNode`. */
export interface NodeCopy {
  readonly spec: NodeSpec
  readonly reading?: Reading
  readonly tags: readonly Entry[]
  readonly ps: readonly Entry[]
}

/** How a worker is to listen; see `DoorSettings`. */
export interface WorkerSettings {
  readonly listen: ListenAddress
  /** PEM. */
  readonly tls?: {readonly cert: string; readonly key: string}
  readonly origins: readonly string[]
  readonly allowCloud: boolean
  /** The way to the registry of models, see `OpenRegistry`. */
  readonly registry?: {readonly url: string; readonly headers: Readonly<Record<string, string>>}
  readonly ticketSecret: string
  /** Ours. */
  readonly version: string
}

/** An error as it can be told. */
export interface ToldError {
  /** Absent: a bug. */
  readonly code?: Code
  readonly type: string
  readonly message: string
  readonly stack?: string | undefined
  readonly suggestions?: readonly string[]
}

/** What a worker tells and asks the primary. Request ids are the worker's own. */
export interface PrimaryDesk {
  submit(request: DispatchRequest): void
  began(id: number): void
  settle(id: number, outcome: Outcome): void
  cancel(id: number): void
  /** Asks for a second attempt beside a first one, see `Dispatcher`. */
  hedge(id: number, hedgeId: number): SendOrder | undefined
  /** A request has ended; `inference`: it asked a model; `id`: if it was submitted, under this one at first. */
  ended(record: RequestRecord, inference: boolean, id: number): void
  /** A node has failed an attempt. */
  failed(node: string, kind: string): void
  /** A node is worth a look at once. */
  look(node: string): void
  /** What it has used since its start. */
  usage(cpuSeconds: number, residentBytes: number): void
  warn(message: string): void
  bug(error: ToldError, requestId: string): void
  /** Its first word: it can be told everything now. Nodes and keys are told before the answer. */
  hello(): WorkerSettings
  listening(url: string): void
  /** It cannot do its work, and will end. */
  unable(error: ToldError): void
  take(key: Pick<Key, 'id' | 'ratePerMinute'>): Taken
  /** Answered when all workers know what these nodes have now, or after `withinMs`. */
  fresh(nodes: readonly string[], withinMs: number): Promise<void>
  /** Answered when the asker knows what the nodes that are up have now or had of late, or after `withinMs`. */
  current(withinMs: number): Promise<void> | undefined
  explain(request: DispatchRequest): RoutePlan | Promise<RoutePlan>
  view(): MomentView | Promise<MomentView>
  decisions(): readonly DecisionRecord[] | Promise<readonly DecisionRecord[]>
  /** Of models that this key may use; '': of all. */
  recording(most: number, tenant: string): Recording | Promise<Recording>
  /** Tokens that nodes have written to it since it told last. */
  tokens(counts: readonly (readonly [node: string, count: number])[]): void
  /** As in `LiveDoor`; the first word is null where all is wanted. */
  liveLook(cursor: number | null): Promise<LiveLook>
  liveDecision(requestId: string): Promise<RequestDecision | undefined>
  liveCancel(requestId: string): Promise<boolean>
  metrics(): Promise<{readonly type: string; readonly text: string}>
  blobAt(digest: string): string | undefined
  blobLies(digest: string, node: string): void
}

/** What the primary tells and asks a worker. */
export interface WorkerDesk {
  send(id: number, to: SendOrder): void
  queued(id: number, place: {readonly position: number; readonly expectedMs: number}): void
  refuse(id: number, why: Refusal): void
  /** All nodes that there are from now on, in the cluster file's order, and the aliases of models. */
  nodes(copies: readonly NodeCopy[], aliases: Readonly<Record<string, string>>): void
  /** A node was read. */
  read(copy: NodeCopy): void
  keys(keys: readonly Key[], wanted: boolean): void
  /** Its inferences that wait or run. */
  requests(): readonly LiveRequest[]
  /** Ends one of them; false: it has none of that id. */
  cancelRequest(requestId: string): boolean
  /** Answered once all that was said before has been heard. */
  heard(): void
  drain(deadlineMs: number): void
}
