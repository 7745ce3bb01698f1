import {setTimeout} from 'node:timers/promises'
import type {WorkerProcess} from './worker-process.ts'

const EVERY_MS = 2000
const LONGEST_MS = 5000
/** If it was this process that stood still, all that is owed comes at once, and the second word is there in time. */
const MOST_MISSED = 2

/**
 * Asks a worker for a word again and again. Resolves with true when it has owed one for 10 s: it lives, but does nothing any
 * more, and what it holds (clients, slots of nodes) nobody else can end. False when the worker or the signal ends.
 */
export async function losesPulse(
  {link, ended}: Pick<WorkerProcess, 'link' | 'ended'>,
  signal: AbortSignal,
): Promise<boolean> {
  const over = new AbortController()
  const stop = () => over.abort()
  void ended.then(stop)
  signal.addEventListener('abort', stop, {once: true})
  if (signal.aborted) stop()
  const pause = (ms: number) => setTimeout(ms, false, {signal: over.signal})
  try {
    for (let missed = 0; missed < MOST_MISSED; ) {
      const said = link.ask('heard').then(
        () => true,
        () => true,
      )
      missed = (await Promise.race([said, pause(LONGEST_MS)])) ? 0 : missed + 1
      if (missed === 0) await pause(EVERY_MS)
    }
    return true
  } catch {
    return false
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
