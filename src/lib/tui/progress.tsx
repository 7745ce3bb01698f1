import {Box, render, Static, Text} from 'ink'
import {useEffect, useState, useSyncExternalStore} from 'react'
import {formatMs} from '../cluster/format.ts'
import {describeBytes, type Line, type Progress, type Remark} from '../cluster/progress.ts'

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
  const width = Math.min(24, Math.max(...progress.lines.map((line) => line.subject.length), 1))
  return (
    <>
      <Static items={[...progress.remarks]}>
        {(remark: Remark) => <RemarkLine key={remark.id} remark={remark} color={color} />}
      </Static>
      {shown.map((line) => (
        <LineView key={line.subject} {...{line, width, color}} nowMs={Math.max(nowMs, now())} />
      ))}
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

interface LineProps {
  readonly line: Line
  readonly width: number
  readonly nowMs: number
  readonly color: boolean
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

function LineView({line, width, nowMs, color}: LineProps) {
  const {mark, hue, text} = describe(line, nowMs)
  return (
    <Box>
      <Box width={2} flexShrink={0}>
        <Text>{sgr(hue, mark, color)}</Text>
      </Box>
      <Box width={width + 2} flexShrink={0}>
        <Text wrap="truncate-end">{sgr(BOLD, safe(line.subject), color)}</Text>
      </Box>
      <Text wrap="truncate-end">{safe(text)}</Text>
    </Box>
  )
}

function describe(line: Line, nowMs: number): {mark: string; hue: Sgr; text: string} {
  if (line.end) {
    const {ok, text, tookMs} = line.end
    return {mark: ok ? '✔' : '✖', hue: ok ? GREEN : RED, text: `${text} (${formatMs(tookMs)})`}
  }
  const mark = FRAMES[Math.floor(nowMs / 120) % FRAMES.length] ?? ''
  if (!line.step) return {mark, hue: CYAN, text: ''}
  const {name, sinceMs} = line.step
  if (line.bytes) return {mark, hue: CYAN, text: `${name}  ${describeBytes(line.bytes, nowMs)}`}
  // A number that ticks from the first moment is noise; one that appears says "this takes long".
  const long = nowMs - sinceMs >= 2000
  return {mark, hue: CYAN, text: long ? `${name}  ${seconds(nowMs - sinceMs)}` : name}
}

const seconds = (ms: number) => formatMs(Math.floor(ms / 1000) * 1000).replace('.0s', 's')

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
