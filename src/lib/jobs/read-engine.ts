import {access} from 'node:fs/promises'
import {engineLog, residentBytes, runningEngine} from '../engine/control/engine-record.ts'
import {engineHome, readModelRecord} from '../engine/engine-home.ts'
import {messageOf} from '../errors.ts'
import {ps} from '../ollama/read-node.ts'
import {engineEndpoint} from './start-engine.ts'
import type {Tools} from './tools.ts'

/** What is known of the embedded node; null: unknown, or there is none. */
export interface EngineStatus {
  readonly state: 'running' | 'not answering' | 'stopped' | 'not installed'
  readonly pid: number | null
  readonly port: number | null
  readonly url: string | null
  /** The model that it serves, or would serve if it were started. */
  readonly model: string | null
  readonly modelPath: string | null
  readonly modelSource: string | null
  /** Whether the model is in memory now. */
  readonly loaded: boolean | null
  /** Of the engine process and of the model in memory. */
  readonly memoryBytes: number | null
  readonly uptimeMs: number | null
  readonly log: string
  /** Why it does not answer. */
  readonly problem: string | null
}

/** Looks at the embedded node without changing anything. */
export async function readEngine({
  paths,
  signal,
}: Pick<Tools, 'paths' | 'signal'>): Promise<EngineStatus> {
  const home = engineHome(paths.data)
  const model = await readModelRecord(home)
  const running = await runningEngine(paths.run)
  const known = {
    model: running?.model ?? model?.name ?? null,
    modelPath: running?.modelPath ?? model?.path ?? null,
    modelSource: model?.source ?? null,
    log: engineLog(paths.run),
  }
  const nothing = {pid: null, port: null, url: null, loaded: null, memoryBytes: null}
  if (!running) {
    const installed = await access(home.library).then(
      () => true,
      () => false,
    )
    const state = installed && model ? 'stopped' : 'not installed'
    return {state, ...known, ...nothing, uptimeMs: null, problem: null}
  }
  const {pid, port} = running
  const own = await residentBytes(pid)
  const uptimeMs = Date.now() - Date.parse(running.startedAt)
  const base = {...known, pid, port, url: `http://127.0.0.1:${port}`, uptimeMs}
  try {
    const limits = {signal, connectTimeoutMs: 2000, headersTimeoutMs: 5000}
    const [loaded] = await ps(engineEndpoint(running), limits)
    const memoryBytes = own === undefined ? null : own + (loaded?.sizeBytes ?? 0)
    return {state: 'running', ...base, loaded: loaded !== undefined, memoryBytes, problem: null}
  } catch (error) {
    signal.throwIfAborted()
    const problem = messageOf(error)
    return {state: 'not answering', ...base, loaded: null, memoryBytes: own ?? null, problem}
  }
}
