import {OllamaxError} from '../errors.ts'

interface Thrown {
  readonly message?: string
  readonly stack?: string
  readonly code?: string
  readonly suggestions?: readonly string[]
  readonly oclif?: {readonly exit?: number}
}

/**
 * Writes an error for people to stderr: what happened, its code, what to do next. Returns the exit
 * code. What is neither ours nor oclif's is a bug and shows its stack.
 */
export function printError(thrown: unknown): number {
  const error = (thrown ?? {}) as Thrown
  const exit = error.oclif?.exit
  if (error.code === 'EEXIT') return exit ?? 0
  if (exit === undefined) {
    process.stderr.write(
      `${error.stack ?? String(thrown)}\n\nThis is a bug in ollamax: please report it with the lines above.\n`,
    )
    return 1
  }
  if (OllamaxError.is(thrown, 'INTERRUPTED')) return exit
  const red =
    process.stderr.isTTY && !process.env.NO_COLOR ? ['\u001b[31m', '\u001b[39m'] : ['', '']
  const lines = [`${red[0]}Error:${red[1]} ${error.message ?? ''}`]
  if (error.code) lines.push(`Code: ${error.code}`)
  const next = error.suggestions ?? []
  if (next.length === 1) lines.push(`Try this: ${next[0]}`)
  if (next.length > 1) lines.push('Try this:', ...next.map((line) => `  * ${line}`))
  process.stderr.write(`${lines.join('\n')}\n`)
  return exit
}
