import {describeStep, NO_PROGRESS, type Progress, reduceProgress} from '../cluster/progress.ts'
import type {Report, Reporter} from '../cluster/report.ts'
import {roundDuration} from '../cluster/size.ts'
import {colorsOn, oneLine} from './paint.ts'

export interface ReporterOptions {
  /** Where progress is shown; stdout belongs to results, so this is stderr. */
  readonly stream: NodeJS.WriteStream
  /** One JSON object per event and line. */
  readonly json: boolean
  /** Append-only lines also on a terminal. */
  readonly plain: boolean
  readonly env?: Readonly<NodeJS.ProcessEnv>
  /** A clock in ms. Default: Date.now. */
  readonly now?: () => number
}

/** Shows a job's events; `stop` waits until all is written and the terminal is as it was. */
export interface LiveReporter {
  readonly report: Reporter
  /** Leaves the terminal to `work` (a question to the user) and shows progress again afterwards. */
  suspend<T>(work: () => Promise<T>): Promise<T>
  stop(): Promise<void>
}

/** On a silent long step a line without a terminal says every so often that it goes on. */
const HEARTBEAT_MS = 10_000

/** Some jobs tell of each piece of a file; a program that reads along needs a number now and then. */
const JSON_EVERY_MS = 100

/**
 * On a terminal one live line per subject, by Ink; otherwise (a pipe, a dumb terminal, `plain`) one
 * line per finished step; with `json` the events themselves. `stop` must be called, also after an error.
 */
export function makeReporter(options: ReporterOptions): LiveReporter {
  const env = options.env ?? process.env
  const now = options.now ?? Date.now
  if (options.json) return jsonReporter(options.stream, now)
  if (options.plain || !options.stream.isTTY || env.TERM === 'dumb')
    return plainReporter(options.stream, now)
  return liveReporter({stream: options.stream, now, color: colorsOn(options.stream, env)})
}

function jsonReporter(stream: NodeJS.WriteStream, now: () => number): LiveReporter {
  const toldMs = new Map<string, number>()
  const report = (event: Report) => {
    const atMs = now()
    if (event.kind === 'bytes') {
      const of = `${event.subject}\n${event.step}`
      const soon = atMs - (toldMs.get(of) ?? Number.NEGATIVE_INFINITY) < JSON_EVERY_MS
      if (soon && event.done !== event.total) return
      toldMs.set(of, atMs)
    }
    stream.write(`${JSON.stringify({at: new Date(atMs).toISOString(), ...event})}\n`)
  }
  return {report, suspend: (work) => work(), stop: async () => {}}
}

function plainReporter(stream: NodeJS.WriteStream, now: () => number): LiveReporter {
  let progress = NO_PROGRESS
  let spokeMs = now()
  const say = (subject: string, text: string) => {
    spokeMs = now()
    stream.write(`${oneLine(subject)}: ${oneLine(text)}\n`)
  }
  const heartbeat = setInterval(() => {
    const at = now()
    if (at - spokeMs < HEARTBEAT_MS) return
    for (const line of progress.lines) {
      const text = describeStep(line, at)
      if (text) say(line.subject, text)
    }
  }, HEARTBEAT_MS / 4)
  // Showing progress is no reason to stay alive.
  heartbeat.unref()
  return {
    report(event) {
      progress = reduceProgress(progress, event, now())
      if (event.kind === 'done')
        say(event.subject, `${event.step} ... done (${roundDuration(event.ms)})`)
      if (event.kind === 'note') say(event.subject, event.text)
      if (event.kind === 'warn') say(event.subject, `warning: ${event.text}`)
      if (event.kind === 'end') say(event.subject, `${event.ok ? 'ok' : 'failed'}: ${event.text}`)
    },
    suspend: (work) => work(),
    async stop() {
      clearInterval(heartbeat)
    },
  }
}

interface LiveOptions {
  readonly stream: NodeJS.WriteStream
  readonly now: () => number
  readonly color: boolean
}

function liveReporter({stream, now, color}: LiveOptions): LiveReporter {
  let progress: Progress = NO_PROGRESS
  let shown: Progress = NO_PROGRESS
  const listeners = new Set<() => void>()
  let mounted: Promise<{unmount(): Promise<void>}> | undefined
  let suspended = 0
  // The remarks that an earlier mount has written stay on the screen; they are not written again.
  let written = 0
  const store = {
    subscribe(listener: () => void) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    snapshot: () => shown,
  }
  const mount = async () => {
    const {mountProgress} = await import('./ink.ts')
    return mountProgress({stream, store, now, color})
  }
  const unmount = async (lines: Progress['lines']) => {
    // Also when the job was faster than Ink's loading: the last frame is what remains on the screen.
    const view = await mounted
    if (!view) return
    shown = {...shown, lines}
    for (const listener of listeners) listener()
    // Lets React draw that frame.
    await new Promise((resolve) => setImmediate(resolve))
    await view.unmount()
    mounted = undefined
    written = progress.remarks.length
  }
  const show = () => {
    shown = {...progress, remarks: progress.remarks.slice(written)}
    if (suspended === 0) mounted ??= mount()
    for (const listener of listeners) listener()
  }
  return {
    report(event) {
      progress = reduceProgress(progress, event, now())
      show()
    },
    async suspend(work) {
      suspended++
      try {
        // They come back after the question.
        await unmount([])
        return await work()
      } finally {
        suspended--
        if (suspended === 0 && progress !== NO_PROGRESS) show()
      }
    },
    // What was not ended was given up: a spinner that stands still would say that it goes on.
    stop: () => unmount(progress.lines.filter((line) => line.end)),
  }
}
