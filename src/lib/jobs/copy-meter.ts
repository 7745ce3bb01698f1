import type {Reporter} from '../cluster/report.ts'

/** What one node is to get. */
interface Share {
  readonly node: string
  /** Still to be sent. */
  readonly bytes: number
  /** There already. */
  readonly partBytes: number
}

/** Reports closer together than this tell nothing new. */
const EVERY_MS = 100
/** The subject of the whole, beside the nodes. */
const ALL = 'all nodes'

/** Turns counted bytes into progress: of each node, and of all of them where there are several. */
export function copyMeter(report: Reporter, step: string, shares: readonly Share[]) {
  const sent = new Map(shares.map(({node}) => [node, 0]))
  const failed = new Set<string>()
  const toldMs = new Map<string, number>()
  const tell = (subject: string, done: number, total: number) => {
    const nowMs = performance.now()
    if (done < total && nowMs - (toldMs.get(subject) ?? Number.NEGATIVE_INFINITY) < EVERY_MS) return
    toldMs.set(subject, nowMs)
    report({kind: 'bytes', subject, step, done, total})
  }
  const tellAll = () => {
    if (shares.length < 2) return
    const live = shares.filter(({node}) => !failed.has(node))
    const done = live.reduce((sum, s) => sum + s.partBytes + (sent.get(s.node) ?? 0), 0)
    tell(
      ALL,
      done,
      live.reduce((sum, s) => sum + s.partBytes + s.bytes, 0),
    )
  }
  const beganMs = performance.now()
  for (const {node, bytes, partBytes} of shares) tell(node, partBytes, partBytes + bytes)
  return {
    /** Bytes sent to a node so far. */
    sent(node: string, bytes: number) {
      sent.set(node, bytes)
      const share = shares.find((it) => it.node === node)
      if (share) tell(node, share.partBytes + bytes, share.partBytes + share.bytes)
      tellAll()
    },
    /** Nothing more is sent there. */
    failed(node: string) {
      failed.add(node)
    },
    /** The bytes of all that did not fail are there. */
    done() {
      if (shares.length < 2) return
      report({kind: 'done', subject: ALL, step, ms: performance.now() - beganMs})
      const ok = failed.size === 0
      report({kind: 'end', subject: ALL, ok, text: ok ? 'done' : `${failed.size} failed`})
    },
  }
}
