/**
 * The word of `known` that a typist most likely meant by `word`, or undefined if none is near.
 * Upper and lower case are equal; near means at most a third of the letters differ.
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase()
  let best: string | undefined
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of known) {
    const edits = distance(wanted, candidate.toLowerCase(), least)
    if (edits < least) {
      least = edits
      best = candidate
    }
  }
  return best
}

/** Edits (insert, delete, replace, swap of neighbours) from `a` to `b`; `limit` when not fewer than that. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let before: number[] = []
  let last = Array.from({length: b.length + 1}, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let cost = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (same ? 0 : 1),
      )
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1])
        cost = Math.min(cost, at(before, column - 2) + 1)
      current.push(cost)
    }
    before = last
    last = current
  }
  return Math.min(limit, at(last, b.length))
}

const at = (row: readonly number[], column: number) => row[column] ?? Number.POSITIVE_INFINITY
