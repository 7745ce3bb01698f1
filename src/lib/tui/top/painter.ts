/** Puts pictures on a terminal: only the lines that have changed are written, so that nothing flickers. */
export interface Painter {
  paint(lines: readonly string[]): void
  /** Forgets what stands there: the next picture is written whole, over it (nothing is blank in between). */
  forget(): void
}

// Ink would lay out and tokenize every cell for every picture: 24 ms and 12 kB for 200x50, and some 100 MB of kept
// strings. Lines that are exactly as wide as the terminal need none of that (docs/design/0011-top.md).

/** Everything between is shown at once, where a terminal knows that. */
const BEGIN = '\u001b[?2026h'
const END = '\u001b[?2026l'
const PLAIN = '\u001b[m'
const ERASE_LINE = '\u001b[2K'
const goTo = (row: number) => `\u001b[${row};1H`

/** Letters whose width terminals do not dispute about: ours, and those that names are made of. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: our own colours are among what is drawn
const AGREED = /^[\u001b\u0020-\u00ff…▁-█▲▼─]*$/u

export function makePainter(write: (text: string) => void): Painter {
  let drawn: readonly string[] | undefined
  return {
    paint(lines) {
      let out = drawn === undefined ? PLAIN : ''
      lines.forEach((line, at) => {
        const before = drawn?.[at]
        if (line === before) return
        // Where we and the terminal count differently, something of the line before could be left at the end.
        const sure = AGREED.test(line) && (before === undefined || AGREED.test(before))
        out += `${goTo(at + 1)}${sure ? '' : ERASE_LINE}${line}${PLAIN}`
      })
      for (let at = lines.length; at < (drawn?.length ?? 0); at++)
        out += `${goTo(at + 1)}${ERASE_LINE}`
      drawn = lines
      if (out !== '') write(`${BEGIN}${out}${END}`)
    },
    forget() {
      drawn = undefined
    },
  }
}
