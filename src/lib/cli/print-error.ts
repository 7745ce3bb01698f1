import {OllamaxError} from '../errors.ts'
import {colorsOn, harmless, jsonText, paint} from './paint.ts'

interface Thrown {
  readonly message?: string
  readonly stack?: string
  readonly code?: string
  readonly suggestions?: readonly string[]
  readonly details?: unknown
  readonly oclif?: {readonly exit?: number}
}

/** An error as --json shows it. */
export function errorJson(thrown: unknown): unknown {
  const error = (thrown ?? {}) as Thrown
  return {
    error: {
      code: OllamaxError.is(thrown) ? thrown.code : 'BUG',
      message: error.message ?? String(thrown),
      suggestions: error.suggestions ?? [],
      ...(error.details === undefined ? {} : {details: error.details}),
    },
  }
}

/**
 * Writes an error for people to stderr, or as JSON to stdout: what happened, its code, what to do next.
 * Returns the exit code. What is neither ours nor oclif's is a bug and shows its stack.
 */
export function printError(thrown: unknown, json = false): number {
  const error = (thrown ?? {}) as Thrown
  const exit = error.oclif?.exit
  if (error.code === 'EEXIT') return exit ?? 0
  if (json) {
    process.stdout.write(`${jsonText(errorJson(thrown), 2)}\n`)
    return exit ?? 1
  }
  // Whoever pressed Ctrl-C knows it; what was half done, and what to do about it, he may not.
  const silent = OllamaxError.is(thrown, 'INTERRUPTED') && thrown.suggestions.length === 0
  if (silent) return exit ?? 1
  const [first = '', ...rest] = errorLines(thrown)
  const red = colorsOn(process.stderr, process.env)
  const head = first.replace(/^Error:/, (word) => paint('bad', word, red))
  process.stderr.write(`${harmless([head, ...rest].join('\n'))}\n`)
  return exit ?? 1
}

/** What happened, its code and what to do next, as lines; of a bug its stack. */
export function errorLines(thrown: unknown): string[] {
  const error = (thrown ?? {}) as Thrown
  if (error.oclif?.exit === undefined)
    return [
      ...(error.stack ?? String(thrown)).split('\n'),
      '',
      'This is a bug in ollamax: please report it with the lines above.',
    ]
  const next = error.suggestions ?? []
  const lines = [`Error: ${error.message ?? ''}`]
  if (error.code) lines.push(`Code: ${error.code}`)
  if (next.length === 1) lines.push(`Try this: ${next[0]}`)
  if (next.length > 1) lines.push('Try this:', ...next.map((line) => `  * ${line}`))
  return lines
}
