/** A command line up to the cursor, as bash sees it. */
export interface BashLine {
  /** Without their quotes; the first is the program, the last the one at the cursor ('' after a space). */
  readonly words: readonly string[]
  /** Characters of the last word, without quotes, that bash leaves as they are: it completes only what follows. */
  readonly left: number
  /** The quote that is open at the cursor. */
  readonly quote: '"' | "'" | ''
}

/**
 * Splits a line as bash does, but not at the characters of COMP_WORDBREAKS, so that `llama3.2:3b` and `--node=a` stay
 * one word. Bash itself replaces only what stands behind the last of them, or behind an open quote.
 */
export function readBashLine(line: string, breaks: string): BashLine {
  const words: string[] = []
  let word: string | undefined
  let left = 0
  let quote: BashLine['quote'] = ''
  for (let at = 0; at < line.length; at++) {
    const char = line[at] ?? ''
    if (quote === '' && /\s/.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
      left = 0
      continue
    }
    word ??= ''
    if (char === quote) quote = ''
    else if (quote === '' && (char === '"' || char === "'")) {
      quote = char
      left = word.length
    } else if (char === '\\' && quote !== "'" && at + 1 < line.length) {
      const next = line[++at] ?? ''
      word += quote === '"' && !/["\\$`]/.test(next) ? `\\${next}` : next
    } else {
      word += char
      if (quote === '' && breaks.includes(char)) left = word.length
    }
  }
  return {words: [...words, word ?? ''], left, quote}
}

/** A value as it has to be typed where `line` ends. */
export function quoteForBash(value: string, {quote}: Pick<BashLine, 'quote'>): string {
  if (quote === "'") return value.replaceAll("'", "'\\''")
  if (quote === '"') return value.replace(/["\\$`]/g, '\\$&')
  return value.replace(/[^\p{L}\p{N}_./:=@,+%-]/gu, '\\$&')
}
