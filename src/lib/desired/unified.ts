/** Lines that are shown around what differs. */
const CONTEXT = 3

interface Line {
  readonly sign: ' ' | '-' | '+'
  readonly text: string
}

/** Two texts as a unified diff with these names; '' where they are the same. For texts of some hundred lines at most. */
export function unifiedDiff(
  before: {readonly name: string; readonly text: string},
  after: {readonly name: string; readonly text: string},
): string {
  const lines = compared(linesOf(before.text), linesOf(after.text))
  const parts = hunksOf(lines)
  if (parts.length === 0) return ''
  return [`--- ${before.name}`, `+++ ${after.name}`, ...parts].join('\n')
}

const linesOf = (text: string) => (text === '' ? [] : text.replace(/\n$/, '').split('\n'))

/** All lines of both, what is common once: by the longest common subsequence. */
function compared(a: readonly string[], b: readonly string[]): Line[] {
  const width = b.length + 1
  const longest = new Uint32Array((a.length + 1) * width)
  const at = (i: number, j: number) => longest[i * width + j] ?? 0
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      longest[i * width + j] =
        a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
  const lines: Line[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    const [old, now] = [a[i], b[j]]
    if (old !== undefined && old === now) {
      lines.push({sign: ' ', text: old})
      i++
      j++
    } else if (old !== undefined && (now === undefined || at(i + 1, j) >= at(i, j + 1))) {
      lines.push({sign: '-', text: old})
      i++
    } else {
      lines.push({sign: '+', text: now ?? ''})
      j++
    }
  }
  return lines
}

/** What differs with the lines around it, each part under its `@@` line. */
function hunksOf(lines: readonly Line[]): string[] {
  const shown = lines.map((_, at) =>
    lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(({sign}) => sign !== ' '),
  )
  const parts: string[] = []
  let [old, now] = [1, 1]
  for (let at = 0; at < lines.length; ) {
    if (!shown[at]) {
      old++
      now++
      at++
      continue
    }
    const end = shown.indexOf(false, at)
    const hunk = lines.slice(at, end < 0 ? lines.length : end)
    const olds = hunk.filter(({sign}) => sign !== '+').length
    const news = hunk.filter(({sign}) => sign !== '-').length
    parts.push(`@@ -${rangeOf(old, olds)} +${rangeOf(now, news)} @@`)
    parts.push(...hunk.map(({sign, text}) => `${sign}${text}`))
    old += olds
    now += news
    at += hunk.length
  }
  return parts
}

/** Of no lines, the line before them. */
const rangeOf = (start: number, count: number) =>
  count === 0 ? `${start - 1},0` : count === 1 ? `${start}` : `${start},${count}`
