const BUCKETS = 1024

/**
 * Things by a whole number, for those that come and go thousands of times a second. A Map would do, but V8 links
 * each table of a Map to the one that replaced it: once one of them is old, everything that all later ones held
 * survives until the next full collection, which cost half of the gateway's time (docs/design/0008-gateway.md).
 */
export class IdTable<T> {
  readonly #ids: number[][] = Array.from({length: BUCKETS}, () => [])
  readonly #things: T[][] = Array.from({length: BUCKETS}, () => [])
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: number): T | undefined {
    const bucket = id & (BUCKETS - 1)
    const at = this.#ids[bucket]?.indexOf(id) ?? -1
    return at < 0 ? undefined : this.#things[bucket]?.[at]
  }

  has(id: number): boolean {
    return this.#ids[id & (BUCKETS - 1)]?.includes(id) ?? false
  }

  /** Puts it in the place of what had this number before. */
  set(id: number, thing: T): void {
    this.delete(id)
    const bucket = id & (BUCKETS - 1)
    this.#ids[bucket]?.push(id)
    this.#things[bucket]?.push(thing)
    this.#size++
  }

  delete(id: number): boolean {
    const bucket = id & (BUCKETS - 1)
    const ids = this.#ids[bucket]
    const things = this.#things[bucket]
    const at = ids?.indexOf(id) ?? -1
    if (!ids || !things || at < 0) return false
    const lastId = ids.pop()
    const last = things.pop()
    if (at < ids.length && lastId !== undefined && last !== undefined) {
      ids[at] = lastId
      things[at] = last
    }
    this.#size--
    return true
  }

  /** In no particular order. What is added or deleted meanwhile may be left out. */
  *values(): IterableIterator<T> {
    for (const things of this.#things) if (things.length > 0) yield* [...things]
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.values()
  }
}
