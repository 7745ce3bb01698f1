import {stat} from 'node:fs/promises'
import {availableParallelism} from 'node:os'
import {OllamaxError} from '../../errors.ts'
import {removeRecord, writeRecord} from '../control/engine-record.ts'
import {engineHome, readModelRecord} from '../engine-home.ts'
import {readGguf} from '../model/gguf.ts'
import {modelCard} from '../model/model-card.ts'
import type {ChildEntry} from './child.ts'
import {makeRunner} from './runner.ts'
import {serveEngine} from './serve-engine.ts'

export interface EngineOptions {
  readonly data: string
  readonly run: string
  readonly port: number
  readonly instance: string
  /** As /api/version shows it. */
  readonly version: string
  readonly child: ChildEntry
  /** Ends the engine. */
  readonly signal: AbortSignal
  readonly log: (line: string) => void
}

const DEFAULT_NUM_CTX = 4096
const MAX_WAITING = 64
/** More threads than this make a small model slower. */
const MAX_THREADS = 16

/**
 * Threads of inference on a machine of so many cores: one is left to others. The threads wait for each other by
 * spinning at every step, so one that has to share its core slows down all: on two busy cores, two threads made
 * 0.4 tokens a second where one made 12.
 */
export function threadsFor(cores: number): number {
  return Math.max(1, Math.min(cores - 1, MAX_THREADS))
}

/** The engine process: serves the recorded model until the signal aborts. */
export async function runEngine(options: EngineOptions): Promise<void> {
  const {run, instance, log, signal} = options
  const home = engineHome(options.data)
  const model = await readModelRecord(home)
  if (!model)
    throw new OllamaxError('ENGINE_MISSING', 'no model was chosen for the embedded node yet', {
      suggestions: ['ollamax engine start'],
    })
  const card = modelCard(await readGguf(model.path))
  const modifiedAt = (await stat(model.path)).mtime.toISOString()
  const runner = makeRunner({
    entry: options.child,
    library: home.library,
    modelPath: model.path,
    embedding: card.embedding,
    threads: threadsFor(availableParallelism()),
    defaultNumCtx: Math.min(DEFAULT_NUM_CTX, card.contextLength),
    log,
    maxWaiting: MAX_WAITING,
  })
  const served = {model, card, modifiedAt}
  const {version, port} = options
  const engine = await serveEngine({served, runner, port, version, log})
  try {
    await writeRecord(run, {
      pid: process.pid,
      port: engine.port,
      startedAt: new Date().toISOString(),
      model: model.name,
      modelPath: model.path,
      instance,
    })
    log(`serving ${model.name} (${model.path}) on 127.0.0.1:${engine.port}`)
    if (!signal.aborted)
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), {once: true})
      })
  } finally {
    await engine.close()
    await removeRecord(run, instance)
  }
}
