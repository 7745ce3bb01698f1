import {Command} from '@oclif/core'
import type {Reporter} from '../cluster/report.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {makeTools} from '../jobs/make-tools.ts'
import type {Tools} from '../jobs/tools.ts'
import {pathsFor} from '../state/paths.ts'
import {readPreferences} from '../state/preferences.ts'
import {type Drawn, terminalAsk} from './ask.ts'
import {clusterFlag, type ProgressMode} from './flags.ts'
import {harmless, jsonText} from './paint.ts'
import {errorJson} from './print-error.ts'
import type {LiveReporter} from './progress.ts'
import {usageError} from './usage-error.ts'

/** Which cluster and how its SSH nodes are reached, see `ToolsOptions`. */
interface ToolFlags {
  readonly cluster?: string | undefined
  readonly reuse?: boolean | undefined
  /** False: nobody is asked, even at a terminal. */
  readonly asks?: boolean
}

const READER_GONE = new Error('nobody reads stdout any more')

/** What all commands share: --json, --cluster, the tools, and a signal that Ctrl-C and SIGTERM abort. */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true
  static override baseFlags = {cluster: clusterFlag()}

  #abort: AbortController | undefined
  #tools: Tools | undefined
  #live: LiveReporter | undefined
  #signals: Array<[NodeJS.Signals, () => void]> = []

  /** Aborted by the first SIGINT or SIGTERM; the second one ends the process at once. */
  get signal(): AbortSignal {
    if (!this.#abort) {
      const abort = new AbortController()
      this.#abort = abort
      for (const name of ['SIGINT', 'SIGTERM'] as const) {
        const stop = () => {
          // Not at once: a listener that restores the terminal (Ink's) would take itself for the only one
          // left and end the process in the middle of this very signal.
          setImmediate(() => process.removeListener(name, stop))
          abort.abort(new OllamaxError('INTERRUPTED', `interrupted by ${name}`))
        }
        process.on(name, stop)
        this.#signals.push([name, stop])
      }
    }
    return this.#abort.signal
  }

  /** For a command that may print for long: it ends quietly once nobody reads that any more, as `| head -1` does. */
  protected endWithReader(): void {
    const {signal} = this
    process.stdout.on('error', () => signal.aborted || this.#abort?.abort(READER_GONE))
  }

  /** To be filled in by a command that draws by itself. */
  protected readonly drawn: Drawn = {}

  async #aside<T>(question: () => Promise<T>): Promise<T> {
    const resume = await this.drawn.suspend?.()
    try {
      return await (this.#live ? this.#live.suspend(question) : question())
    } finally {
      // The next question must find the terminal as this one did.
      await resume?.()
    }
  }

  /** A prompt reads keys raw, so that Ctrl-C made no signal; it means the whole command as a rule all the same. */
  #interrupted(): void {
    if (this.drawn.interrupted) this.drawn.interrupted()
    else process.emit('SIGINT')
  }

  /** The doors to the outside world, built on first use; closed when the command ends. */
  tools(flags: ToolFlags = {}): Tools {
    this.#tools ??= makeTools({
      env: process.env,
      cluster: flags.cluster,
      reuse: flags.reuse,
      signal: this.signal,
      ...(flags.asks === false
        ? {}
        : {
            ask: terminalAsk(this.signal, {
              around: (question) => this.#aside(question),
              onInterrupt: () => this.#interrupted(),
            }),
          }),
      note: (text) => this.note(text),
    })
    return this.#tools
  }

  /**
   * Runs a job and shows its progress on stderr meanwhile; when it settles, the terminal is as it was,
   * so that the result can be printed.
   */
  async withProgress<T>(mode: ProgressMode, job: (report: Reporter) => Promise<T>): Promise<T> {
    if (mode === 'none') return job(() => {})
    const {makeReporter} = await import('./progress.ts')
    const live = makeReporter({
      stream: process.stderr,
      json: mode === 'json',
      plain: mode === 'plain',
    })
    this.#live = live
    try {
      return await job(live.report)
    } finally {
      this.#live = undefined
      await live.stop()
    }
  }

  /** Prints a line for people on stdout; nothing with --json. */
  say(text: string): void {
    if (!this.jsonEnabled()) process.stdout.write(`${harmless(text)}\n`)
  }

  /**
   * Prints a note on stderr, also with --json: notes never mix with results. Nor with what is drawn there:
   * while progress is shown, a note is a part of it.
   */
  note(text: string): void {
    if (this.#live) {
      this.#live.report({kind: 'note', subject: 'ollamax', text})
      return
    }
    const write = () => void process.stderr.write(`${harmless(text)}\n`)
    const taken = this.drawn.suspend?.()
    if (taken instanceof Promise)
      void taken.then((resume) => {
        write()
        return resume()
      })
    else {
      write()
      void taken?.()
    }
  }

  /** With --json, errors are one JSON object on stdout and the exit code is the same as without. */
  protected override toErrorJson(thrown: unknown): unknown {
    return errorJson(thrown)
  }

  /** The user's preferences hold where the environment says nothing; what prints looks at that alone. */
  protected override async init(): Promise<void> {
    await super.init()
    try {
      const {output, theme} = readPreferences(pathsFor(process.env))
      if (theme) process.env.OLLAMAX_THEME ||= theme
      if (output) process.env.OLLAMAX_OUTPUT ||= output
    } catch (error) {
      // How things look is no reason to fail; a command that needs the preferences will.
      this.note(`warning: ${messageOf(error)}`)
    }
  }

  /** --json, or the user's wish to have everything so. */
  override jsonEnabled(): boolean {
    return super.jsonEnabled() || process.env.OLLAMAX_OUTPUT === 'json'
  }

  protected override logJson(json: unknown): void {
    process.stdout.write(`${jsonText(json, 2)}\n`)
  }

  protected override async catch(thrown: Error): Promise<unknown> {
    // An abort that no one translated on the way is still the user's interrupt, not a bug.
    const reason: unknown = this.#abort?.signal.reason
    if (reason === READER_GONE) return undefined
    const translate = this.#abort?.signal.aborted && !OllamaxError.is(thrown, 'INTERRUPTED')
    const error = translate && reason instanceof Error ? reason : thrown
    return super.catch(usageError(error, this.id ?? '') ?? error)
  }

  protected override async finally(_: Error | undefined): Promise<void> {
    await this.#tools?.close()
    for (const [name, stop] of this.#signals) process.removeListener(name, stop)
  }
}
