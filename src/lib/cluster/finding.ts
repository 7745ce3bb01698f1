/** Something that doctor saw. `error`: it does not work; `warning`: it works, but not as it should. */
export interface Finding {
  readonly severity: 'error' | 'warning' | 'info'
  /** Stable name of what was looked at, for scripts: `unit`, `disk`, `gpu`... */
  readonly check: string
  /** What is wrong. */
  readonly text: string
  /** Why, as far as it was seen. */
  readonly cause?: string
  /** What to do: a sentence or a command. */
  readonly next?: string
  /** True: `--fix` can mend it. */
  readonly fixable?: boolean
}

/** All that was found about one node, or about this machine. */
export interface Diagnosis {
  /** Name of the node; `operator` is this machine. */
  readonly subject: string
  readonly kind: 'operator' | 'ssh' | 'direct' | 'embedded'
  readonly findings: readonly Finding[]
}
