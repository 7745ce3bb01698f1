import {readdir, stat} from 'node:fs/promises'
import {join} from 'node:path'
import type {Reporter} from '../../cluster/report.ts'

/** What a piece of the installation is called in its reports. */
export interface Step {
  readonly report: Reporter
  readonly subject: string
  readonly step: string
}

/** Reports start and done of `work`, and between them the bytes that `measure` finds now and then beside those of before. */
export async function watched<T>(
  {report, subject, step}: Step,
  measure: {readonly bytes: () => Promise<number>; readonly total?: number} | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const started = performance.now()
  report({kind: 'start', subject, step})
  let measuring = false
  const before = (await measure?.bytes().catch(() => 0)) ?? 0
  const timer =
    measure &&
    setInterval(async () => {
      if (measuring) return
      measuring = true
      const done = (await measure.bytes().catch(() => 0)) - before
      measuring = false
      const total = measure.total === undefined ? {} : {total: measure.total}
      if (done > 0) report({kind: 'bytes', subject, step, done, ...total})
    }, 300)
  try {
    const result = await work()
    report({kind: 'done', subject, step, ms: performance.now() - started})
    return result
  } finally {
    clearInterval(timer)
  }
}

/** Bytes of all files below a directory; 0 if there is none. */
export async function bytesBelow(directory: string): Promise<number> {
  return (await sizesBelow(directory)).reduce((sum, size) => sum + size, 0)
}

/** Bytes of the largest file below a directory: a download that is moved or copied counts once. */
export async function largestBelow(directory: string): Promise<number> {
  return Math.max(0, ...(await sizesBelow(directory)))
}

async function sizesBelow(directory: string): Promise<number[]> {
  const entries = await readdir(directory, {recursive: true, withFileTypes: true}).catch(() => [])
  const files = entries.filter((entry) => entry.isFile())
  return Promise.all(
    files.map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        ({size}) => size,
        () => 0,
      ),
    ),
  )
}
