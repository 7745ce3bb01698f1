/** A stream of text that ends before the first stop string, however the text is cut into pieces. */
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
      const found = wanted.map((stop) => held.indexOf(stop)).filter((at) => at >= 0)
      if (found.length > 0) {
        stopped = true
        return held.slice(0, Math.min(...found))
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

/** Length of the longest end of `text` that is a beginning of `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--)
    if (text.endsWith(stop.slice(0, length))) return length
  return 0
}
