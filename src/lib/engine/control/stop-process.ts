import {setTimeout as wait} from 'node:timers/promises'
import {OllamaxError} from '../../errors.ts'
import {type EngineRecord, isRunning, removeRecord} from './engine-record.ts'

const GRACE_MS = 5000
const KILLED_MS = 5000

/**
 * Ends a running engine: politely, and after five seconds by force. Only a process whose command line
 * shows that it is that engine is ever touched. ENGINE_FAILED if it does not end.
 */
export async function stopProcess(
  run: string,
  record: EngineRecord,
  signal: AbortSignal,
): Promise<void> {
  if (await isRunning(record)) kill(record.pid, 'SIGTERM')
  if (!(await isGone(record, GRACE_MS, signal))) {
    kill(record.pid, 'SIGKILL')
    if (!(await isGone(record, KILLED_MS, signal)))
      throw new OllamaxError('ENGINE_FAILED', `the engine process ${record.pid} does not end`)
  }
  await removeRecord(run, record.instance)
}

async function isGone(record: EngineRecord, withinMs: number, signal: AbortSignal) {
  const endAt = performance.now() + withinMs
  while (await isRunning(record)) {
    if (performance.now() > endAt) return false
    await wait(20, undefined, {signal})
  }
  return true
}

/** It may end by itself between the look and the signal. */
function kill(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as {code?: string}).code !== 'ESRCH') throw error
  }
}
