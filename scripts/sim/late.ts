// How many must be late, whoever decides.

/** Something that comes at a time and takes one machine so long. */
export interface Coming {
  readonly atMs: number
  readonly work: number
}

/**
 * The least number that cannot be done within `withinMs` of their coming by one machine that does `speed` of their work
 * per ms, also if it may interrupt and knows all in advance. `coming` is in order of time.
 *
 * All have the same time, so who comes first is due first. Then whatever can be done in time at all can be done in
 * order of coming without interruption, and the least number late is found by taking all in that order and, whenever
 * the last is late, dropping the one without which the last ends soonest (Kise, Ibaraki and Mine 1978).
 */
export function leastLate(coming: readonly Coming[], speed: number, withinMs: number): number {
  const taken: Array<{readonly atMs: number; readonly ms: number; startMs: number}> = []
  let late = 0
  for (const {atMs, work} of coming) {
    const freeMs = endOf(taken.at(-1))
    taken.push({atMs, ms: work / speed, startMs: Math.max(freeMs, atMs)})
    if (endOf(taken.at(-1)) <= atMs + withinMs) continue
    late++
    let drop = taken.length - 1
    let mostMs = -1
    // What comes after one moves forward by no more than its time, and not before its own coming.
    let roomMs = Number.POSITIVE_INFINITY
    for (let at = taken.length - 1; at >= 0 && roomMs > mostMs; at--) {
      const one = taken[at]
      if (!one) break
      // Without the last one, the one before it is the last.
      const winsMs = at === taken.length - 1 ? endOf(one) - freeMs : Math.min(one.ms, roomMs)
      if (winsMs > mostMs) {
        mostMs = winsMs
        drop = at
      }
      roomMs = Math.min(roomMs, one.startMs - one.atMs)
    }
    taken.splice(drop, 1)
    for (let at = drop; at < taken.length; at++) {
      const one = taken[at]
      if (one) one.startMs = Math.max(endOf(taken[at - 1]), one.atMs)
    }
  }
  return late
}

const endOf = (one: {readonly ms: number; readonly startMs: number} | undefined) =>
  one ? one.startMs + one.ms : 0
