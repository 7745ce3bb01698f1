import {messageOf, OllamaxError} from '../errors.ts'

/** INTERRUPTED that says how far a command over several nodes came, and that it can be run again. */
export function interruptedAfter(
  signal: AbortSignal,
  done: readonly string[],
  all: readonly string[],
): OllamaxError {
  const finished = done.length > 0 ? `finished: ${done.join(', ')}; ` : ''
  const open = all.filter((name) => !done.includes(name)).join(', ')
  return new OllamaxError(
    'INTERRUPTED',
    `${messageOf(signal.reason)}; ${finished}not finished: ${open}`,
    {
      suggestions: ['Run the same command again: it is safe, and goes on from there'],
      cause: signal.reason,
      details: {done},
    },
  )
}
