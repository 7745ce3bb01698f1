import {createReadStream} from 'node:fs'
import {realpath, stat} from 'node:fs/promises'
import {basename, dirname, join, resolve} from 'node:path'
import type {Readable, Writable} from 'node:stream'
import type {DoneLines} from '../../batch/done-lines.ts'
import {type FailedLine, type NodeTally, Tally} from '../../batch/tally.ts'
import type {Cluster} from '../../cluster/node.ts'
import type {Reporter} from '../../cluster/report.ts'
import {messageOf, OllamaxError} from '../../errors.ts'
import {openUpstream} from '../../ollama/upstream.ts'
import {withLock} from '../../state/lock.ts'
import {cannot} from '../../state/write-file.ts'
import {uptimeMs} from '../deadline.ts'
import type {Tools} from '../tools.ts'
import {type Door, findDoor, type OpenOwn} from './door.ts'
import {fingerprintOf} from './fingerprint.ts'
import {type Output, openOutput} from './output-file.ts'
import {outputTo} from './output-stream.ts'
import {dropFailed, nothingYet} from './read-output.ts'
import {surveyInput} from './survey-input.ts'
import {type TodoOptions, todoLines} from './todo-lines.ts'
import {type WorkOptions, workThrough} from './work-through.ts'

export type BatchTools = Pick<Tools, 'cluster' | 'endpoint' | 'paths' | 'signal'>

export interface BatchOptions
  extends Pick<
    WorkOptions,
    'concurrency' | 'keepOrder' | 'retries' | 'timeoutMs' | 'patienceMs' | 'drainMs' | 'model'
  > {
  /** A path, or the stream that stands for `-`. */
  readonly input: string | Readable
  /** A path, or the stream that stands for `-`. */
  readonly output: string | Writable
  /** Lines that failed in earlier runs are asked once more. */
  readonly retryFailed: boolean
  /** Lines that cannot be asked are failed ones, instead of a reason not to begin. */
  readonly skipBroken: boolean
  /** Where no gateway runs. */
  readonly openOwn: OpenOwn
  readonly report: Reporter
}

/** What became of a batch. */
export interface Batch {
  /** In this run. */
  readonly answered: number
  readonly failed: number
  /** Tries beyond the first one of each line. */
  readonly retried: number
  /** Lines that earlier runs had answered, and failed, already. */
  readonly earlier: {readonly answered: number; readonly failed: number}
  /** Lines of the input; absent: it was not read to its end. */
  readonly lines?: number
  readonly seconds: number
  readonly linesPerS: number
  readonly tokens: {readonly prompt: number; readonly answer: number}
  readonly nodes: readonly NodeTally[]
  /** The cluster's gateway, or this process alone. */
  readonly through: Door['through']
  /** Of this run, in the order in which they failed; the first hundred. */
  readonly failures: readonly FailedLine[]
}

const SUBJECT = 'batch'
const STEP = 'ask the fleet'
const REPORT_MS = 500
const LOCK_MS = 1000

/**
 * Asks every line of the input and appends its answer to the output; lines that are there already are not asked again.
 * INTERRUPTED after the signal; BAD_INPUT, LOCKED and STATE_IO before the first request; and what `workThrough` throws. After each of them the same call goes on.
 */
export async function runBatch(tools: BatchTools, options: BatchOptions): Promise<Batch> {
  const {output: to, retryFailed} = options
  const cluster = await tools.cluster()
  if (typeof to !== 'string') {
    const output = outputTo(to)
    return work(tools, options, {cluster, output, earlier: nothingYet(), gone: output.gone})
  }
  const directory = join(tools.paths.run, 'batch', fingerprintOf(await placeOf(to), undefined))
  return withLock(
    directory,
    async () => {
      if (retryFailed) await dropFailed(to)
      const opened = await openOutput(to)
      return work(tools, options, {cluster, ...opened})
    },
    {signal: tools.signal, why: `batch to ${to}`, timeoutMs: LOCK_MS},
  )
}

interface At {
  readonly cluster: Cluster
  readonly output: Output
  readonly earlier: {readonly done: DoneLines; readonly inOrder: boolean}
  /** Nobody reads the output any more; absent: it is a file. */
  readonly gone?: AbortSignal
}

async function work(tools: BatchTools, options: BatchOptions, at: At): Promise<Batch> {
  const {output, earlier} = at
  const {report, keepOrder} = options
  let written = false
  try {
    if (keepOrder && !earlier.inOrder)
      throw new OllamaxError('BAD_INPUT', '--keep-order: the output is in another order already', {
        suggestions: ['go on without --keep-order', 'or begin anew with another output'],
      })
    const todo: TodoOptions = {
      name: typeof options.input === 'string' ? options.input : 'the input',
      defaults: {
        model: options.model,
        keepAliveSeconds: at.cluster.defaults?.keepAliveSeconds,
      },
      done: earlier.done,
      inOrder: keepOrder,
    }
    report({kind: 'start', subject: SUBJECT, step: 'look the input through'})
    const source = await openInput(options.input)
    const left =
      source.whole === undefined
        ? undefined
        : await surveyInput(source.whole, {...todo, ...options, signal: tools.signal})
    const done = await askAll(tools, options, {...at, todo, left, source})
    await output.close()
    written = true
    return finish(tools, options, done)
  } finally {
    if (!written) await output.close().catch(() => undefined)
  }
}

/** Where an input is a file, it can be looked through before. */
async function openInput(
  input: string | Readable,
): Promise<{readonly whole?: string; open(): Readable}> {
  if (typeof input !== 'string') return {open: () => input}
  try {
    const open = () => createReadStream(input)
    return (await stat(input)).isFile() ? {whole: input, open} : {open}
  } catch (error) {
    throw cannot('read', input, error)
  }
}

async function askAll(
  tools: BatchTools,
  options: BatchOptions,
  at: At & {
    readonly todo: TodoOptions
    readonly left: number | undefined
    readonly source: {open(): Readable}
  },
): Promise<Batch> {
  const {done: before} = at.earlier
  const earlier = {answered: before.answered, failed: before.failed}
  const known = earlier.answered + earlier.failed
  const total = at.left === undefined ? undefined : known + at.left
  const tally = new Tally()
  const tell = () => {
    const failed = earlier.failed + tally.failed
    options.report({
      ...{kind: 'bytes', subject: SUBJECT, step: STEP, unit: 'lines'},
      done: known + tally.answered + tally.failed,
      ...(total === undefined ? {} : {total}),
      ...(failed > 0 ? {also: `${failed} failed`} : {}),
    })
  }
  const result = (through: Door['through'], startedMs: number): Batch => {
    const seconds = (uptimeMs() - startedMs) / 1000
    const nodes = tally.nodes()
    return {
      ...{answered: tally.answered, failed: tally.failed, retried: tally.retried, earlier},
      ...(total === undefined ? {} : {lines: total}),
      seconds,
      linesPerS: seconds > 0 ? tally.answered / seconds : 0,
      tokens: {prompt: sum(nodes, 'promptTokens'), answer: sum(nodes, 'answerTokens')},
      ...{nodes, through, failures: tally.failures},
    }
  }
  if (at.left === 0) return result('own', uptimeMs())
  const door = await findDoor(tools, at.cluster, options.openOwn)
  const upstream = openUpstream(door.endpoint)
  const input = at.source.open()
  tell()
  const timer = setInterval(tell, REPORT_MS)
  const startedMs = uptimeMs()
  const signal = at.gone ? AbortSignal.any([tools.signal, at.gone]) : tools.signal
  try {
    await workThrough(todoLines(input, at.todo), {
      ...options,
      ...{endpoint: upstream.endpoint, output: at.output, tally, signal},
      warn: (text) => options.report({kind: 'warn', subject: SUBJECT, text}),
    })
    tell()
    return result(door.through, startedMs)
  } finally {
    clearInterval(timer)
    input.destroy()
    await upstream.close()
    await door.close()
  }
}

/** Says how it ended. */
function finish(tools: BatchTools, {report, output}: BatchOptions, batch: Batch): Batch {
  const {answered, earlier, lines} = batch
  const failed = batch.failed + earlier.failed
  const done = answered + earlier.answered
  const of = lines === undefined ? '' : ` of ${lines}`
  const text = `${done}${of} lines answered${failed > 0 ? `, ${failed} failed` : ''}`
  if (tools.signal.aborted && done + failed !== lines) {
    report({kind: 'end', subject: SUBJECT, ok: false, text: `stopped: ${text}`})
    const again = typeof output === 'string'
    throw new OllamaxError('INTERRUPTED', `${messageOf(tools.signal.reason)}; ${text}`, {
      suggestions: again ? ['run the same command again: it goes on from there'] : [],
      cause: tools.signal.reason,
      details: {...batch},
    })
  }
  report({kind: 'end', subject: SUBJECT, ok: failed === 0, text})
  return batch
}

const sum = (nodes: readonly NodeTally[], field: 'promptTokens' | 'answerTokens') =>
  nodes.reduce((total, node) => total + node[field], 0)

/** The same for all ways to name one file. */
async function placeOf(path: string): Promise<string> {
  const full = resolve(path)
  const there = await realpath(full).catch(() => undefined)
  if (there !== undefined) return there
  const directory = await realpath(dirname(full)).catch(() => dirname(full))
  return join(directory, basename(full))
}
