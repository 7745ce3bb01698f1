import {OllamaxError} from '../errors.ts'

const PLAIN = /^[A-Za-z0-9_./:,@+-]+$/

/**
 * One shell word that stands for exactly `value` in sh, bash, zsh, fish and csh. Quotes, backslashes
 * and `!` stand outside of the single quotes, each behind a backslash: inside of them fish knows
 * escapes, csh expands `!`, and sh knows neither. (A newline inside a word is beyond csh.)
 */
export function quote(value: string): string {
  if (value.includes('\0')) {
    throw new OllamaxError('BAD_INPUT', 'a value for a remote command holds a NUL character')
  }
  if (value === '') return "''"
  if (PLAIN.test(value)) return value
  return value
    .split(/(['\\!])/)
    .map((part, at) => (part === '' ? '' : at % 2 === 1 ? `\\${part}` : `'${part}'`))
    .join('')
}

/** `value` as one line for `printf %b`, so that a script of many lines passes through any login shell. */
export function oneLine(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}
