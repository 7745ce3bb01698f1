import {OllamaxError} from '../errors.ts'

/** The first line of stdin, for --sudo-password-stdin; BAD_INPUT if there is none. */
export async function readPassword(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin) text += String(chunk)
  const password = text.replace(/\r?\n.*$/s, '')
  if (password !== '') return password
  throw new OllamaxError('BAD_INPUT', '--sudo-password-stdin: nothing came on stdin')
}
