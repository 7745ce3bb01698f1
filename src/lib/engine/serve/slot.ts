import {BUSY, Refusal} from './refusal.ts'

/** One place, given out in order of arrival. */
export interface Slot {
  /**
   * Waits for the place and returns what gives it back. 503 at once when too many wait already;
   * the signal's reason when it aborts while waiting.
   */
  take(signal: AbortSignal): Promise<() => void>
  /** True while somebody has the place or waits for it. */
  readonly busy: boolean
}

export function makeSlot(maxWaiting: number): Slot {
  const waiting: Array<() => void> = []
  let taken = false
  const giveBack = () => {
    let done = false
    return () => {
      if (done) return
      done = true
      const next = waiting.shift()
      if (next) next()
      else taken = false
    }
  }
  return {
    get busy() {
      return taken
    },
    async take(signal) {
      signal.throwIfAborted()
      if (!taken) {
        taken = true
        return giveBack()
      }
      if (waiting.length >= maxWaiting) throw new Refusal(503, BUSY)
      await new Promise<void>((resolve, reject) => {
        const turn = () => {
          signal.removeEventListener('abort', leave)
          resolve()
        }
        const leave = () => {
          waiting.splice(waiting.indexOf(turn), 1)
          reject(signal.reason)
        }
        waiting.push(turn)
        signal.addEventListener('abort', leave, {once: true})
      })
      return giveBack()
    },
  }
}
