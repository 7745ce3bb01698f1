import {rm} from 'node:fs/promises'
import {join, resolve} from 'node:path'
import {sameModel} from '../cluster/model-name.ts'
import type {Reporter} from '../cluster/report.ts'
import {type EngineRecord, engineLog, runningEngine} from '../engine/control/engine-record.ts'
import {startProcess} from '../engine/control/start-process.ts'
import {stopProcess} from '../engine/control/stop-process.ts'
import {engineHome, readModelRecord, writeJson} from '../engine/engine-home.ts'
import {chooseModel, type ModelWish} from '../engine/install/choose-model.ts'
import {installLibrary} from '../engine/install/install-library.ts'
import type {EngineModel} from '../engine/model/model-card.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {embed, generate, show} from '../ollama/client.ts'
import type {Endpoint} from '../ollama/endpoint.ts'
import {withLock} from '../state/lock.ts'
import type {Tools} from './tools.ts'

export interface StartEngineOptions {
  readonly wish?: ModelWish
  /** 0 or absent: any free one. */
  readonly port?: number | undefined
  readonly report?: Reporter
  /** Our own program, run by this Node; absent: the one that runs now. */
  readonly program?: string
}

export interface StartedEngine {
  /** False: it ran already. */
  readonly started: boolean
  readonly pid: number
  readonly port: number
  readonly url: string
  readonly model: string
  readonly modelPath: string
}

const START_MS = 30_000
const LOAD_MS = 300_000
/** An installation by another process may take as long as its downloads. */
const LOCK_MS = 30 * 60_000

/**
 * Makes the embedded node run: installs what is missing, starts the engine and loads its model once,
 * which shows that it works. Does nothing if it runs already; two at once start one. ENGINE_MISSING,
 * ENGINE_FAILED, BAD_INPUT if another model or port is wanted than that of the running one.
 */
export function startEngine(
  tools: Pick<Tools, 'paths' | 'env' | 'signal'>,
  options: StartEngineOptions = {},
): Promise<StartedEngine> {
  const {paths, signal} = tools
  const {root} = engineHome(paths.data)
  const start = async () => {
    const running = await runningEngine(paths.run)
    if (!running) return startNew(tools, options)
    refuseOther(running, options)
    return describe(running, false)
  }
  return withLock(root, start, {signal, why: 'starting the engine', timeoutMs: LOCK_MS})
}

async function startNew(
  tools: Pick<Tools, 'paths' | 'env' | 'signal'>,
  options: StartEngineOptions,
): Promise<StartedEngine> {
  const {env, signal, paths} = tools
  const {wish = {}, report = () => {}} = options
  const home = engineHome(paths.data)
  const install = {home, env, report, signal}
  await installLibrary(install)
  const before = await readModelRecord(home)
  const model = await chooseModel(install, wish)
  try {
    return await launch(tools, options, model)
  } catch (error) {
    // What does not work must not be the choice of the next start.
    if (before && before.path !== model.path) await writeJson(home.modelRecord, before)
    else await rm(home.modelRecord, {force: true})
    const byItself = wish.gguf === undefined && wish.url === undefined && wish.name === undefined
    if (!byItself || wish.skipStore || !model.source.startsWith('Ollama store')) throw error
    report({kind: 'warn', subject: 'model', text: messageOf(error)})
    return startNew(tools, {...options, wish: {skipStore: true}})
  }
}

async function launch(
  tools: Pick<Tools, 'paths' | 'env' | 'signal'>,
  {port = 0, program = process.argv[1] ?? '', report = () => {}}: StartEngineOptions,
  model: EngineModel,
): Promise<StartedEngine> {
  const {env, signal, paths} = tools
  const {run} = paths
  const started = performance.now()
  const step = {subject: 'engine', step: `start and load ${model.name}`} as const
  report({kind: 'start', ...step})
  const timeoutMs = START_MS
  const record = await startProcess({program, run, env, port, signal, timeoutMs})
  try {
    await loadOnce(record, signal)
  } catch (error) {
    await stopProcess(run, record, AbortSignal.timeout(20_000))
    signal.throwIfAborted()
    throw notWorking(error, model, engineLog(run))
  }
  report({kind: 'done', ...step, ms: performance.now() - started})
  return describe(record, true)
}

async function loadOnce(record: EngineRecord, signal: AbortSignal): Promise<void> {
  const endpoint = engineEndpoint(record)
  const {model} = record
  const options = {signal, headersTimeoutMs: LOAD_MS}
  const {capabilities} = await show(endpoint, model, options)
  if (capabilities.includes('embedding')) await embed(endpoint, {model, input: []}, options)
  else for await (const _ of await generate(endpoint, {model}, options));
}

/** How to reach a running engine. */
export function engineEndpoint({port}: {readonly port: number}): Endpoint {
  return {kind: 'url', url: `http://127.0.0.1:${port}`, headers: {}}
}

function describe(record: EngineRecord, started: boolean): StartedEngine {
  const {pid, port, model, modelPath} = record
  return {started, pid, port, url: `http://127.0.0.1:${port}`, model, modelPath}
}

function refuseOther(running: EngineRecord, {wish = {}, port}: StartEngineOptions): void {
  const {gguf, url, sha256, name} = wish
  const other =
    (gguf !== undefined && resolve(gguf) !== running.modelPath) ||
    (url !== undefined && !running.modelPath.endsWith(`${join('/', sha256 ?? '')}.gguf`)) ||
    (name !== undefined && !sameModel(name, running.model)) ||
    (port !== undefined && port !== 0 && port !== running.port)
  if (other)
    throw new OllamaxError(
      'BAD_INPUT',
      `the embedded node runs already, with ${running.model} on port ${running.port}`,
      {suggestions: ['ollamax engine stop, then start it anew']},
    )
}

function notWorking(error: unknown, model: EngineModel, log: string): OllamaxError {
  return new OllamaxError(
    'ENGINE_FAILED',
    `the embedded node does not work with the model file ${model.path}: ${messageOf(error)}`,
    {
      suggestions: ['try another model file: --gguf FILE', `see ${log}`],
      cause: error,
      details: {model: model.name, path: model.path, source: model.source},
    },
  )
}
