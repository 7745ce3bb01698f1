import {readRecord, removeRecord, runningEngine} from '../engine/control/engine-record.ts'
import {stopProcess} from '../engine/control/stop-process.ts'
import type {Tools} from './tools.ts'

export interface StoppedEngine {
  /** False: it did not run. */
  readonly stopped: boolean
  readonly pid: number | null
}

/** Ends the embedded node's process if it runs; a request that it works on is cut. */
export async function stopEngine({
  paths,
  signal,
}: Pick<Tools, 'paths' | 'signal'>): Promise<StoppedEngine> {
  const running = await runningEngine(paths.run)
  if (running) {
    await stopProcess(paths.run, running, signal)
    return {stopped: true, pid: running.pid}
  }
  const stale = await readRecord(paths.run)
  if (stale) await removeRecord(paths.run, stale.instance)
  return {stopped: false, pid: null}
}
