import {Box, render, Static, Text} from 'ink'
import {useEffect, useState, useSyncExternalStore} from 'react'
import {
  describeBytes,
  type Line,
  type Progress,
  type Remark,
  wholeSeconds,
} from '../cluster/progress.ts'
import {roundDuration} from '../cluster/size.ts'

/** Progress as it changes; the component reads it and never changes it. */
export interface ProgressStore {
  subscribe(listener: () => void): () => void
  snapshot(): Progress
}

export interface MountOptions {
  readonly stream: NodeJS.WriteStream
  readonly store: ProgressStore
  /** A clock in ms. */
  readonly now: () => number
  readonly color: boolean
}

export interface Mounted {
  /** Leaves the last frame on the screen, shows the cursor again, and resolves when that is written. */
  unmount(): Promise<void>
}

/** Draws the progress on a terminal until unmounted. Reads no key and leaves Ctrl-C alone. */
export function mountProgress({stream, store, now, color}: MountOptions): Mounted {
  const view = <ProgressView {...{store, now, color}} rows={() => stream.rows ?? 24} />
  // Each frame goes to the stream given, which is stderr: stdout may be a pipe that someone reads.
  const ink = render(view, {
    stdout: stream,
    stderr: stream,
    exitOnCtrlC: false,
    patchConsole: false,
    interactive: true,
    maxFps: 12,
  })
  return {
    async unmount() {
      ink.unmount()
      await ink.waitUntilExit()
    },
  }
}

interface ViewProps {
  readonly store: ProgressStore
  readonly now: () => number
  readonly color: boolean
  /** Height of the terminal now. */
  readonly rows: () => number
}

/** Remarks scroll away above; below them one line per subject. */
export function ProgressView({store, now, color, rows}: ViewProps) {
  const progress = useSyncExternalStore(store.subscribe, store.snapshot)
  const [nowMs, setNow] = useState(now())
  const running = progress.lines.some((line) => !line.end)
  useEffect(() => {
    if (!running) return
    const timer = setInterval(() => setNow(now()), 120)
    return () => clearInterval(timer)
  }, [running, now])
  const shown = visible(progress.lines, Math.max(2, rows() - 2))
  return (
    <>
      <Static items={[...progress.remarks]}>
        {(remark: Remark) => <RemarkLine key={remark.id} remark={remark} color={color} />}
      </Static>
      <Lines lines={shown} nowMs={Math.max(nowMs, now())} color={color} />
      {shown.length < progress.lines.length && (
        <Text wrap="truncate-end">{sgr(DIM, summary(progress.lines), color)}</Text>
      )}
    </>
  )
}

/**
 * The lines that fit on the screen, in their order: those that run before those that failed before
 * those that are done. A frame higher than the screen could not be redrawn in place.
 */
function visible(lines: readonly Line[], rows: number): readonly Line[] {
  if (lines.length <= rows) return lines
  const rank = (line: Line) => (line.end ? (line.end.ok ? 2 : 1) : 0)
  const chosen = new Set([...lines].sort((a, b) => rank(a) - rank(b)).slice(0, rows - 1))
  return lines.filter((line) => chosen.has(line))
}

function summary(lines: readonly Line[]): string {
  const ended = lines.filter((line) => line.end)
  const failed = ended.filter((line) => line.end?.ok === false).length
  return `${ended.length} of ${lines.length} finished${failed > 0 ? `, ${failed} failed` : ''}`
}

function RemarkLine({remark, color}: {readonly remark: Remark; readonly color: boolean}) {
  const warn = remark.kind === 'warn'
  return (
    <Text>
      {sgr(
        warn ? YELLOW : DIM,
        `${warn ? '!' : ' '} ${safe(remark.subject)}: ${safe(remark.text)}`,
        color,
      )}
    </Text>
  )
}

interface LinesProps {
  readonly lines: readonly Line[]
  readonly nowMs: number
  readonly color: boolean
}

/** Three columns; the layout measures the subjects, so that wide characters keep them aligned. */
function Lines({lines, nowMs, color}: LinesProps) {
  const cells = lines.map((line) => ({...describe(line, nowMs), subject: safe(line.subject)}))
  return (
    <Box>
      <Box flexDirection="column" width={2} flexShrink={0}>
        {cells.map(({subject, mark, hue}) => (
          <Text key={subject}>{sgr(hue, mark, color)}</Text>
        ))}
      </Box>
      <Box flexDirection="column" marginRight={2} flexShrink={0}>
        {cells.map(({subject}) => (
          <Text key={subject}>{sgr(BOLD, short(subject), color)}</Text>
        ))}
      </Box>
      <Box flexDirection="column">
        {cells.map(({subject, text}) => (
          <Text key={subject} wrap="truncate-end">
            {safe(text) || ' '}
          </Text>
        ))}
      </Box>
    </Box>
  )
}

const short = (subject: string) => (subject.length > 24 ? `${subject.slice(0, 23)}…` : subject)

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

function describe(line: Line, nowMs: number): {mark: string; hue: Sgr; text: string} {
  if (line.end) {
    const {ok, text, tookMs} = line.end
    return {mark: ok ? '✔' : '✖', hue: ok ? GREEN : RED, text: `${text} (${roundDuration(tookMs)})`}
  }
  const mark = FRAMES[Math.floor(nowMs / 120) % FRAMES.length] ?? ''
  if (!line.step) return {mark, hue: CYAN, text: ''}
  const {name, sinceMs} = line.step
  if (line.bytes) return {mark, hue: CYAN, text: `${name}  ${describeBytes(line.bytes, nowMs)}`}
  // A number that ticks from the first moment is noise; one that appears says "this takes long".
  const long = nowMs - sinceMs >= 2000
  return {mark, hue: CYAN, text: long ? `${name}  ${wholeSeconds(nowMs - sinceMs)}` : name}
}

/** No control character of a remote text may reach the terminal. */
const safe = (text: string) => text.replace(/\p{Cc}+/gu, ' ')

type Sgr = readonly [open: number, close: number]
const BOLD: Sgr = [1, 22]
const DIM: Sgr = [2, 22]
const RED: Sgr = [31, 39]
const GREEN: Sgr = [32, 39]
const YELLOW: Sgr = [33, 39]
const CYAN: Sgr = [36, 39]

/** Ink's own colours ask whether stdout is a terminal; we draw on stderr, and the caller has decided. */
const sgr = ([open, close]: Sgr, text: string, on: boolean) =>
  on ? `\u001b[${open}m${text}\u001b[${close}m` : text
