import {isatty} from 'node:tty'
import type {Ask} from '../cluster/ask.ts'
import {askNobody} from '../cluster/ask.ts'
import {OllamaxError} from '../errors.ts'
import type {prompts} from './prompts.ts'

/**
 * Asks at this terminal. Questions are written to stderr, so that a piped stdout holds only results.
 * Without a terminal on stdin and stderr every question throws NEEDS_TTY. Ctrl-C throws INTERRUPTED.
 * Questions of jobs that run side by side are asked one after the other, each inside `around`, which
 * clears the terminal of whatever else is drawn there.
 */
export function terminalAsk(
  signal: AbortSignal,
  around: <T>(question: () => Promise<T>) => Promise<T> = (question) => question(),
): Ask {
  // Not process.stdin.isTTY: that opens the stream, which every command would pay for.
  if (!isatty(0) || !isatty(2)) return askNobody
  let last: Promise<unknown> = Promise.resolve()
  const one = <T>(question: (library: typeof prompts) => Promise<T>): Promise<T> => {
    const mine = last.then(() => around(() => put(question)))
    last = mine.catch(() => {})
    return mine
  }
  const put = async <T>(question: (library: typeof prompts) => Promise<T>): Promise<T> => {
    signal.throwIfAborted()
    try {
      return await question((await import('./prompts.ts')).prompts)
    } catch (error) {
      const name = (error as {name?: string}).name
      if (name === 'ExitPromptError')
        throw new OllamaxError('INTERRUPTED', 'interrupted at a question')
      throw name === 'AbortPromptError' ? signal.reason : error
    }
  }
  const context = {output: process.stderr, signal}
  return {
    interactive: true,
    secret: (message) => one(({password}) => password({message, mask: false}, context)),
    confirm: (message) => one(({confirm}) => confirm({message, default: false}, context)),
    text: (message) => one(({input}) => input({message}, context)),
    choose: (message, choices) =>
      one(({select}) => select({message, choices: [...choices]}, context)),
  }
}
