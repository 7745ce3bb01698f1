import {describeStep, NO_PROGRESS, reduceProgress} from '../../cluster/progress.ts'
import type {Reporter} from '../../cluster/report.ts'
import type {Log} from '../../log/make-log.ts'

/** A step that goes on says so this often. */
const EVERY_MS = 10_000

export interface LoggedProgress {
  readonly report: Reporter
  stop(): void
}

/** Progress for a log, where nobody watches: remarks as they come, and how far long steps are. */
export function logProgress(log: Pick<Log, 'info' | 'warn'>, everyMs = EVERY_MS): LoggedProgress {
  let progress = NO_PROGRESS
  const timer = setInterval(() => {
    const nowMs = performance.now()
    for (const line of progress.lines) {
      if (!line.step || nowMs - line.step.sinceMs < everyMs) continue
      const text = describeStep(line, nowMs)
      log.info(`reconcile: ${line.subject}: ${text}`, {event: 'progress', node: line.subject})
    }
  }, everyMs)
  timer.unref()
  return {
    report(event) {
      progress = reduceProgress(progress, event, performance.now())
      const fields = {event: 'remark', node: event.subject}
      if (event.kind === 'note') log.info(`reconcile: ${event.subject}: ${event.text}`, fields)
      if (event.kind === 'warn') log.warn(`reconcile: ${event.subject}: ${event.text}`, fields)
    },
    stop: () => clearInterval(timer),
  }
}
