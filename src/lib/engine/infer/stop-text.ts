/** A stream of text that ends before the stop string that is complete first, however the text is cut into pieces. */
export interface StopText {
  /** Takes more text and returns what may be shown of all so far. */
  push(text: string): string
  /** What was held back as a possible beginning of a stop string; empty after a stop. */
  rest(): string
  readonly stopped: boolean
}

export function stopText(stops: readonly string[]): StopText {
  const wanted = stops.filter((stop) => stop !== '')
  let held = ''
  let stopped = false
  return {
    get stopped() {
      return stopped
    },
    push(text) {
      if (stopped) return ''
      held += text
      const found = firstStop(held, wanted)
      if (found !== undefined) {
        stopped = true
        return held.slice(0, found)
      }
      const keep = Math.max(0, ...wanted.map((stop) => overlap(held, stop)))
      const shown = held.slice(0, held.length - keep)
      held = held.slice(held.length - keep)
      return shown
    },
    rest() {
      return stopped ? '' : held
    },
  }
}

/**
 * Where the stop string begins that is complete first; of those that end together the longest. Not the one that begins
 * first: whether that is complete could depend on how the text is cut.
 */
function firstStop(text: string, stops: readonly string[]): number | undefined {
  let first: {readonly start: number; readonly end: number} | undefined
  for (const stop of stops) {
    const start = text.indexOf(stop)
    const end = start + stop.length
    if (start < 0) continue
    if (!first || end < first.end || (end === first.end && start < first.start))
      first = {start, end}
  }
  return first?.start
}

/** Length of the longest end of `text` that is a beginning of `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--)
    if (text.endsWith(stop.slice(0, length))) return length
  return 0
}
