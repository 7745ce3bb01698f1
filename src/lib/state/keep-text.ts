/**
 * Carries a change over to the text as the user wrote it. `before` and `after` are what the YAML
 * library prints without and with the change; it prints meaning and comments, but its own blank lines,
 * indentation and alignment. Returns `source` with only the changed lines changed; undefined where the
 * two texts are too different to tell which lines those are. Pure; the caller checks the meaning.
 */
export function keepText(source: string, before: string, after: string): string | undefined {
  if (source === before) return after
  const [mine, old, now] = [source, before, after].map((text) => text.split('\n')) as [
    string[],
    string[],
    string[],
  ]
  const mineOf = new Map(align(old, mine, true))
  const result: string[] = []
  let taken = 0
  for (const [from, to, nowFrom, nowTo] of changes(
    align(old, now, false),
    old.length,
    now.length,
  )) {
    const place = placeOf(old, mineOf, [from, to])
    if (!place || place[0] < taken) return undefined
    result.push(...mine.slice(taken, place[0]), ...now.slice(nowFrom, nowTo))
    taken = place[1]
  }
  result.push(...mine.slice(taken))
  const text = result.join('\n')
  return source.includes('\r\n') ? text.replaceAll(/\r?\n/g, '\r\n') : text
}

/**
 * The user's lines, as [from, to), that stand for the printed lines [from, to); for none of them, the
 * place below the line above. Blank lines are passed over: the user's own stay.
 */
function placeOf(
  old: readonly string[],
  mineOf: ReadonlyMap<number, number>,
  [from, to]: readonly [number, number],
): readonly [number, number] | undefined {
  const full = Array.from({length: to - from}, (_, i) => from + i).filter((i) => old[i] !== '')
  if (full.length > 0) {
    const [first, last] = [mineOf.get(full[0] ?? -1), mineOf.get(full.at(-1) ?? -1)]
    return first === undefined || last === undefined ? undefined : [first, last + 1]
  }
  let above = from - 1
  while (above >= 0 && old[above] === '' && !mineOf.has(above)) above--
  const line = above < 0 ? -1 : mineOf.get(above)
  if (line !== undefined) return [line + 1, line + 1]
  const below = mineOf.get(to)
  return below === undefined ? undefined : [below, below]
}

const squeeze = (line: string) => line.replaceAll(/\s+/g, '')

/** How far to look for the place where two texts agree again. */
const WINDOW = 400

/**
 * Pairs of lines that are equal, in order: the nearest agreement after each difference. `loose`: apart
 * from white space, and a blank line then says nothing about where one is.
 */
function align(
  a: readonly string[],
  b: readonly string[],
  loose: boolean,
): Array<readonly [number, number]> {
  const [left, right] = loose ? [a.map(squeeze), b.map(squeeze)] : [a, b]
  const agreement = (i: number, j: number): readonly [number, number] | undefined => {
    for (let sum = 1; sum <= WINDOW; sum++)
      for (let skip = 0; skip <= sum; skip++) {
        const line = left[i + skip]
        if ((line || (!loose && line === '')) && line === right[j + sum - skip])
          return [skip, sum - skip]
      }
    return undefined
  }
  const pairs: Array<readonly [number, number]> = []
  let i = 0
  let j = 0
  while (i < left.length && j < right.length) {
    if (left[i] === right[j]) pairs.push([i++, j++])
    else {
      const step = agreement(i, j)
      if (!step) break
      i += step[0]
      j += step[1]
    }
  }
  return pairs
}

/** The stretches between the pairs, as [from, to) in both texts. */
function changes(
  pairs: ReadonlyArray<readonly [number, number]>,
  lengthA: number,
  lengthB: number,
): Array<readonly [number, number, number, number]> {
  const found: Array<readonly [number, number, number, number]> = []
  let i = 0
  let j = 0
  for (const [a, b] of [...pairs, [lengthA, lengthB] as const]) {
    if (a > i || b > j) found.push([i, a, j, b])
    i = a + 1
    j = b + 1
  }
  return found
}
