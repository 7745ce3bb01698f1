import {type ChildProcess, fork} from 'node:child_process'
import type {Event, Order} from '../infer/messages.ts'

/** What starts the inference process: a script and its arguments. */
export interface ChildEntry {
  readonly file: string
  readonly args: readonly string[]
}

/** One inference process with one model in it. */
export interface Child {
  readonly pid: number | undefined
  /** False once it has ended. */
  readonly alive: boolean
  /** Sends an order and yields its events up to the last one; ChildGone if the process ends before. */
  order(order: Exclude<Order, {kind: 'cancel'}>): AsyncGenerator<Event, void, undefined>
  /** Asks the running order to end early. */
  cancel(): void
  /** Ends the process and waits until it is gone. */
  end(): Promise<void>
}

/** The inference process ended, by itself or by a signal, before its order was done. */
export class ChildGone extends Error {
  /** The last lines that it wrote, for the log and for a failed load. */
  readonly lastWords: string

  constructor(how: string, lastWords: string) {
    super(how)
    this.lastWords = lastWords
  }
}

const KEPT_STDERR = 4096

export function startChild(entry: ChildEntry, log: (line: string) => void): Child {
  const child = fork(entry.file, entry.args, {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
    // A crash is expected of a bad model file; ggml would start a debugger for its backtrace.
    env: {...process.env, GGML_NO_BACKTRACE: '1', NODE_LLAMA_CPP_SKIP_DOWNLOAD: 'true'},
  })
  let stderr = ''
  let gone: ChildGone | undefined
  let take: ((event: Event | ChildGone) => void) | undefined
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log(text.trimEnd())
    stderr = (stderr + text).slice(-KEPT_STDERR)
  })
  const end = (how: string) => {
    if (gone) return
    gone = new ChildGone(how, stderr.trim())
    take?.(gone)
  }
  child.on('error', (error) => end(`could not run: ${error.message}`))
  child.on('message', (event: Event) => take?.(event))
  // Not 'exit': the last words come on a pipe that may still hold some then.
  child.on('close', (code, signal) => end(signal ? `ended by ${signal}` : `exit code ${code}`))
  return {
    pid: child.pid,
    get alive() {
      return gone === undefined
    },
    async *order(order) {
      const events: Array<Event | ChildGone> = gone ? [gone] : []
      let wake: (() => void) | undefined
      take = (event) => {
        events.push(event)
        wake?.()
      }
      if (!gone) child.send(order, () => {})
      for (;;) {
        const event = events.shift()
        if (event === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
          continue
        }
        if (event instanceof ChildGone) throw event
        yield event
        if (event.kind !== 'text') return
      }
    },
    cancel() {
      if (child.connected) child.send({kind: 'cancel'} satisfies Order, () => {})
    },
    end: () => endProcess(child, () => gone !== undefined),
  }
}

async function endProcess(child: ChildProcess, gone: () => boolean): Promise<void> {
  if (gone()) return
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  // SIGKILL: it holds nothing that could be lost, and the library ignores a polite request while busy.
  child.kill('SIGKILL')
  await closed
}
