import {setTimeout as pause} from 'node:timers/promises'

/**
 * Polls until `condition` gives a truthy value, and returns it. Fails with `what` at the deadline; what the condition
 * threw last is the cause.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  {timeoutMs = 10_000, everyMs = 20}: {timeoutMs?: number; everyMs?: number} = {},
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const deadline = performance.now() + timeoutMs
  let cause: unknown
  do {
    try {
      const value = await condition()
      if (value) return value as Exclude<T, false | null | undefined | 0 | ''>
      cause = undefined
    } catch (error) {
      cause = error
    }
    await pause(everyMs)
  } while (performance.now() < deadline)
  throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, {cause})
}
