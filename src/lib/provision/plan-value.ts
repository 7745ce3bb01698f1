import type {Artifact} from './artifact.ts'

/** Where the program comes from, once it is known that one is needed. */
export type Source =
  /** Carried over SFTP. */
  | {readonly kind: 'carry'; readonly artifact: Artifact}
  /** Downloaded by the host itself. */
  | {
      readonly kind: 'fetch'
      readonly url: string
      readonly version: string
      readonly sha256: string
      readonly format: 'gz' | 'zst'
      readonly sizeBytes?: number
    }

/** What the operator wants of a host. */
export interface WantedNode {
  /** Leave alone what is there; it only has to answer. */
  readonly install: boolean
  /** Below the login account even where root is to be had. */
  readonly userMode: boolean
  readonly version?: string | undefined
  /** Exactly this tree, which is there; counts more than `version`. */
  readonly tree?: string | undefined
  readonly port?: number | undefined
  readonly env: Readonly<Record<string, string>>
  readonly source?: Source | undefined
}

/** One step on the host: safe to run again, and done completely or not at all. */
export interface Action {
  readonly title: string
  readonly root: boolean
  /** A constant POSIX script; values are in `args`. */
  readonly script: string
  readonly args: readonly string[]
  /** Before the script: put the wanted archive there. */
  readonly upload?: {readonly path: string; readonly asGzip: boolean}
  /** It leaves what runs there alone, so that it can be done while requests are answered. */
  readonly aside?: true
  /** Longest time that the script may take. */
  readonly timeoutMs: number
}

/** A reason why the host cannot become a node as it is. */
export interface Problem {
  readonly text: string
  readonly next: string
}

/** What would be done. No actions and no problems: the host is as it is wanted. */
export interface Plan {
  /** Whose Ollama it is: ours for the machine, ours for the account, or left alone. */
  readonly install: 'system' | 'user' | 'external'
  /** `supervised`: in user mode without a systemd for the account. */
  readonly keeper: 'systemd' | 'launchd' | 'supervised' | 'other'
  readonly port: number
  /** The service was not there before: it may be killed to see that it comes back. */
  readonly fresh: boolean
  /** The service of someone else that the actions change and restart, in words; absent: none. */
  readonly takesOver?: string
  /** A program is needed and no source was given: `version` or the latest. */
  readonly missing?: {readonly version?: string}
  /** The version of ours that will run; absent: someone else's program is kept. */
  readonly tree?: string
  readonly actions: readonly Action[]
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
}
