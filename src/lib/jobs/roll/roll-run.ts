import type {HookName, SshNode} from '../../cluster/node.ts'
import type {Reporter} from '../../cluster/report.ts'
import type {Artifact} from '../../provision/artifact.ts'
import type {Before} from '../../provision/plan-return.ts'
import type {Root} from '../../provision/privilege.ts'
import type {Pace} from '../../provision/smoke.ts'
import type {Remote} from '../../ssh/remote.ts'
import type {SudoPassword} from '../sudo-password.ts'
import type {Tools} from '../tools.ts'
import type {RollJournal} from './journal.ts'

/** A node and what it is to be. */
export interface RollTarget {
  readonly node: SshNode
  /** Absent: what an archive brings, or the one that is there. */
  readonly version?: string | undefined
  /** `previous`: the version that was switched on before the one that is now. */
  readonly tree?: 'previous'
  /** The version that the cluster file wants already; another one is written into it when asked for. */
  readonly recorded?: string | undefined
  /** The whole environment of the service. */
  readonly env: Readonly<Record<string, string>>
}

export type RollTools = Pick<
  Tools,
  'cluster' | 'clusterName' | 'editCluster' | 'dial' | 'ask' | 'signal' | 'env' | 'paths'
>

/** What all nodes of a roll share. */
export interface RollShared {
  readonly tools: RollTools
  /** Runs the hook of a node at that moment. */
  readonly hook: (name: HookName, node: SshNode, version?: string) => Promise<void>
  readonly journal: RollJournal
  readonly artifact: Artifact | undefined
  readonly downloads: Map<string, Promise<Artifact>>
  readonly sudoPassword: SudoPassword
  /** Longest wait for the requests that run on a node. */
  readonly drainMs: number
  /** A node that is slower than this part of what it was before is bad; 0: none is. */
  readonly minPace: number
  /** Who changes the nodes, and to what, for those who find one locked. */
  readonly why: string
  readonly report: Reporter
}

/** How far a node has come. */
export interface RollRun {
  readonly target: RollTarget
  /** Lets go of the machine's lock. */
  release?: () => Promise<void>
  /** There is something to undo there. */
  before?: Before
  remote?: Remote
  root?: Root | undefined
  port?: number
  drainedByUs: boolean
  /** It was changed, or may have been. */
  disturbed: boolean
  /** Undefined: it is as it was wanted already. */
  version?: string
  pace?: Pace
  paceAfter?: Pace
  drainedAtMs?: number
  drainedMs?: number
}
