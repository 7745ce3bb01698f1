import {roundDuration} from '../cluster/size.ts'
import type {RunOptions} from '../jobs/run-model.ts'

type Note = Parameters<NonNullable<RunOptions['note']>>[0]

/** One line on a terminal that says what is being waited for, until something better is there. */
export interface WaitLine {
  note(note: Note): void
  /** Takes the line away until the next tick. */
  clear(): void
  /** Takes the line away until the function that this returns is called. */
  suspend(): () => void
  stop(): void
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 80
/** Quick answers need no line, and get no flicker. */
const QUIET_MS = 150
const CLEAR = '\r\u001b[2K'

export function startWaitLine(stream: NodeJS.WriteStream): WaitLine {
  let text = ''
  let frame = 0
  let drawn = false
  let suspended = 0
  let sinceMs = performance.now()
  const startedMs = sinceMs
  const clear = () => {
    if (drawn) stream.write(CLEAR)
    drawn = false
  }
  const timer = setInterval(() => {
    const now = performance.now()
    if (!text || suspended > 0 || now - startedMs < QUIET_MS) return
    frame = (frame + 1) % FRAMES.length
    const line = `${FRAMES[frame]} ${text} (${roundDuration(now - sinceMs)})`
    stream.write(`${CLEAR}${line.slice(0, Math.max(1, (stream.columns || 80) - 1))}`)
    drawn = true
  }, FRAME_MS)
  // What is shown while waiting is no reason to wait.
  timer.unref()
  return {
    note(note) {
      if (note.kind === 'idle') {
        text = ''
        clear()
      }
      const next = describeWait(note)
      if (!next) return
      text = next
      sinceMs = performance.now()
    },
    clear,
    suspend() {
      suspended++
      clear()
      return () => {
        suspended--
      }
    },
    stop() {
      clearInterval(timer)
      clear()
    },
  }
}

/** Only what is known: a reading tells what is loaded and what is before us; without one nothing is said of it. */
export function describeWait(note: Note): string | undefined {
  if (note.kind === 'reading') return `asking ${note.nodes.length} nodes what they have`
  if (note.kind !== 'asking') return undefined
  const {node, ranked} = note
  if (!ranked) return `${node}: waiting for the first token`
  const {candidate, terms} = ranked
  if (candidate.inFlight > 0)
    return `${node}: waiting for ${candidate.inFlight} ${candidate.inFlight === 1 ? 'request' : 'requests'} before this one`
  if (candidate.residency === 'loaded') return `${node}: reading the prompt`
  const known = terms.guessed.includes('load') ? '' : `, about ${roundDuration(terms.loadMs)}`
  return `${node}: loading the model${known}`
}
