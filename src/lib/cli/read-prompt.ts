import {fstatSync, readFileSync} from 'node:fs'
import {isatty} from 'node:tty'
import {messageOf, OllamaxError} from '../errors.ts'

/** The prompt from the words of the command line, standard input, or both (words first); '' if there is none. */
export async function readPrompt(words: readonly string[], signal: AbortSignal): Promise<string> {
  const given = words.join(' ')
  const piped = await readStdin(signal)
  if (!given) return piped
  return piped ? `${given}\n${piped}` : given
}

/** All of standard input without its last newline; '' if it is a terminal, closed or a device. */
export async function readStdin(signal: AbortSignal): Promise<string> {
  if (isatty(0)) return ''
  const stat = fstatSync(0, {throwIfNoEntry: false})
  if (!stat || stat.isCharacterDevice()) return ''
  const bytes = stat.isFile() ? readFileSync(0) : await drain(signal)
  return bytes.toString().replace(/\r?\n$/, '')
}

/** The text of a file that an argument names; `-`: standard input. BAD_INPUT if it cannot be read. */
export async function readInput(path: string, signal: AbortSignal): Promise<string> {
  if (path === '-') return readStdin(signal)
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new OllamaxError('BAD_INPUT', `${path} cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/** A program that was started with an open pipe waits for its end, which may never come. */
const HINT_MS = 3000

async function drain(signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = []
  const stop = () => process.stdin.destroy(signal.reason as Error)
  signal.addEventListener('abort', stop, {once: true})
  const hint = setTimeout(() => {
    if (isatty(2))
      process.stderr.write('reading standard input; < /dev/null if there is nothing to read\n')
  }, HINT_MS)
  try {
    for await (const chunk of process.stdin) {
      clearTimeout(hint)
      chunks.push(chunk as Buffer)
    }
  } finally {
    clearTimeout(hint)
    signal.removeEventListener('abort', stop)
  }
  return Buffer.concat(chunks)
}

/** A file that a flag names; BAD_INPUT that names the flag if it cannot be read. */
export function readFlagFile(flag: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new OllamaxError('BAD_INPUT', `--${flag} ${path} cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
