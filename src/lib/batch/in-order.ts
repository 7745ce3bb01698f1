/** Holds back what came too early, so that all is passed on in the order of its numbers, from 0 on. */
export class InOrder {
  readonly #held = new Map<number, string>()
  #next = 0
  #characters = 0

  /** Held back, in characters. */
  get characters(): number {
    return this.#characters
  }

  /** The number that everybody waits for. */
  get next(): number {
    return this.#next
  }

  /** What can be passed on now. */
  push(at: number, text: string): string[] {
    this.#held.set(at, text)
    this.#characters += text.length
    const ready: string[] = []
    for (;;) {
      const text = this.#held.get(this.#next)
      if (text === undefined) return ready
      this.#held.delete(this.#next)
      this.#characters -= text.length
      this.#next++
      ready.push(text)
    }
  }
}
