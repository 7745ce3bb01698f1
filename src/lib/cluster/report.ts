/** A progress event of a job. Doors render it (a line, a bar, a JSON event); jobs never print. */
export type Report =
  | {readonly kind: 'start'; readonly subject: string; readonly step: string}
  | {
      readonly kind: 'bytes'
      readonly subject: string
      readonly step: string
      readonly done: number
      /** Absent: the size is unknown. */
      readonly total?: number
      /** What is counted, in the plural; absent: bytes. */
      readonly unit?: string
      /** A few words more, as `3 failed`. */
      readonly also?: string
    }
  | {
      readonly kind: 'done'
      readonly subject: string
      readonly step: string
      /** Absent: it was done together with others, and how long it took by itself is not known. */
      readonly ms?: number
    }
  | {readonly kind: 'note'; readonly subject: string; readonly text: string}
  | {readonly kind: 'warn'; readonly subject: string; readonly text: string}
  /** The subject (a node, a download) is finished as a whole. */
  | {readonly kind: 'end'; readonly subject: string; readonly ok: boolean; readonly text: string}

/** Takes progress events; must not throw. */
export type Reporter = (report: Report) => void
