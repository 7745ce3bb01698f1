/** One remote command that changed something, or may have. */
export interface ChangeRecord {
  /** When it began, ISO 8601. */
  readonly at: string
  /** `account@machine` of the operator. */
  readonly who: string
  /** The command of ollamax that did it, for example `node upgrade`. */
  readonly by: string
  readonly cluster: string
  readonly node: string
  /** As ssh was told: `[user@]host[:port]` or an alias. */
  readonly host: string
  /** What was done, in words; never a value of a variable. */
  readonly what: string
  /** Exit code there; null: it was broken off, see `error`. */
  readonly exit: number | null
  readonly ms: number
  /** Why it was broken off: a code of docs/errors.md, or `FAILED`. */
  readonly error?: string
}
