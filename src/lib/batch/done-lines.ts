/** What was found out about a line that has its place in the output. */
export type Done = 'answered' | 'failed'

/** Digits of a line's fingerprint that are compared: of a thousand million changed lines one would be overlooked. */
const DIGITS = 7

/** Lines that the output has already, by their number from 1 on: four bytes for each, so that there may be millions. */
export class DoneLines {
  #marks = new Uint32Array(1024)
  #answered = 0
  #failed = 0

  get answered(): number {
    return this.#answered
  }

  get failed(): number {
    return this.#failed
  }

  /** False: the line is there already. */
  add(line: number, fingerprint: string, done: Done): boolean {
    if (line >= this.#marks.length) {
      const larger = new Uint32Array(Math.max(line + 1, this.#marks.length * 2))
      larger.set(this.#marks)
      this.#marks = larger
    }
    if (this.#marks[line] !== 0) return false
    this.#marks[line] = markOf(fingerprint, done)
    if (done === 'failed') this.#failed++
    else this.#answered++
    return true
  }

  has(line: number): boolean {
    return (this.#marks[line] ?? 0) !== 0
  }

  /** True: what was answered is what stands there now. */
  fits(line: number, fingerprint: string): boolean {
    const mark = this.#marks[line] ?? 0
    return mark >>> 2 === markOf(fingerprint, 'answered') >>> 2
  }
}

/** Never 0. */
function markOf(fingerprint: string, done: Done): number {
  return Number.parseInt(fingerprint.slice(0, DIGITS), 16) * 4 + (done === 'failed' ? 2 : 1)
}
