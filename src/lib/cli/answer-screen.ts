import {isatty} from 'node:tty'
import type {RunOptions} from '../jobs/run-model.ts'
import type {Drawn} from './ask.ts'
import {colorsOn, harmless, oneLine, paint} from './paint.ts'

type Piece = Parameters<RunOptions['show']>[0]
type Note = Parameters<NonNullable<RunOptions['note']>>[0]

export interface ScreenOptions {
  /** Nothing of the answer is written; it is printed as one JSON object at the end. */
  readonly json: boolean
  readonly explain: boolean
  /** Writes each line of the answer as it came instead of its text. */
  readonly chunks?: boolean
  /** Told how to take away what is drawn while a question is asked. */
  readonly drawn?: Drawn
}

/** Where an answer appears: its text on stdout, everything else on stderr. */
export interface Screen {
  /** True if anything was shown. Resolves when stdout takes more. */
  show(piece: Piece): boolean | Promise<boolean>
  note(note: Note): void
  /** Ends the answer's last line and takes away what is only shown while waiting. */
  end(): void
  /** Aborted when the reader of stdout has gone, as `| head -1` does. */
  readonly gone: AbortSignal
}

export async function answerScreen(options: ScreenOptions): Promise<Screen> {
  const {stdout} = process
  const terminal = isatty(2)
  const gone = new AbortController()
  const wait = await waitLine(options)
  if (wait && options.drawn) options.drawn.suspend = wait.suspend
  let atLineStart = true
  let thinking = false
  let failure: string | undefined
  const onError = () => gone.abort(new Error('stdout was closed'))
  stdout.on('error', onError)

  const write = (text: string): true | Promise<true> => {
    atLineStart = text.endsWith('\n')
    if (stdout.write(text) || gone.signal.aborted) return true
    return new Promise((resolve) => {
      stdout.once('drain', () => resolve(true))
      gone.signal.addEventListener('abort', () => resolve(true), {once: true})
    })
  }
  const think = (text: string): boolean => {
    if (!terminal) return false
    if (!thinking) process.stderr.write(dim('Thinking...\n'))
    thinking = true
    process.stderr.write(dim(harmless(text)))
    return true
  }
  const stopThinking = () => {
    if (thinking) process.stderr.write(dim('\n...done thinking.\n\n'))
    thinking = false
  }
  return {
    gone: gone.signal,
    show(piece) {
      if (options.json) return false
      if (options.chunks) return write(`${JSON.stringify(piece.raw)}\n`)
      if (!piece.text && !piece.thinking) return false
      wait?.stop()
      if (!piece.text) return think(piece.thinking)
      stopThinking()
      // Piped, the answer is passed on as it came; a terminal would obey what a model was led to say.
      return write(stdout.isTTY ? harmless(piece.text) : piece.text)
    },
    note(note) {
      wait?.note(note)
      if (note.kind === 'idle') failure = undefined
      if (note.kind === 'failed') failure = `${note.node}: ${note.message}`
      if (note.kind === 'asking' && failure !== undefined) {
        wait?.clear()
        process.stderr.write(`${oneLine(failure)}; asking ${note.node} instead\n`)
        failure = undefined
      }
      if (note.kind === 'asking' && !note.ranked && options.explain) {
        wait?.clear()
        process.stderr.write(`only ${note.node} is to be asked: nothing to choose\n`)
      }
      if (note.kind === 'ranked' && options.explain) {
        wait?.clear()
        explain(note)
      }
    },
    end() {
      wait?.stop()
      stopThinking()
      if (!options.json && !atLineStart && !gone.signal.aborted) stdout.write('\n')
      atLineStart = true
    },
  }
}

function explain(note: Note & {kind: 'ranked'}): void {
  // Loaded only when somebody asks why.
  void import('./describe-answer.ts').then(({describeRanking}) =>
    process.stderr.write(harmless(describeRanking(note))),
  )
}

const dim = (text: string) => paint('dim', text, colorsOn(process.stderr, process.env))

async function waitLine({json}: ScreenOptions) {
  if (json || !isatty(2) || process.env.TERM === 'dumb') return undefined
  const {startWaitLine} = await import('./wait-line.ts')
  return startWaitLine(process.stderr)
}
