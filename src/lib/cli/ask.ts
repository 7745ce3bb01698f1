import {isatty} from 'node:tty'
import type {Ask} from '../cluster/ask.ts'
import {askNobody} from '../cluster/ask.ts'
import {OllamaxError} from '../errors.ts'
import {colorsOn, harmless, oneLine} from './paint.ts'
import type {prompts} from './prompts.ts'

/** Gives the terminal back. */
export type Resume = () => void | Promise<void>

/** What a command draws by itself while questions may be asked. */
export interface Drawn {
  /** Takes away what is drawn; the terminal is free once it has returned or resolved. */
  suspend?: () => Resume | Promise<Resume>
  /** Ctrl-C at a question means this, and not the end of the command. */
  interrupted?: () => void
}

export interface TerminalAskOptions {
  /** Clears the terminal of whatever else is drawn there. */
  readonly around: <T>(question: () => Promise<T>) => Promise<T>
  readonly onInterrupt: () => void
}

/**
 * Asks at this terminal. Questions are written to stderr, so that a piped stdout holds only results.
 * Without a terminal on stdin and stderr every question throws NEEDS_TTY. Ctrl-C throws INTERRUPTED.
 * Questions of jobs that run side by side are asked one after the other.
 */
export function terminalAsk(signal: AbortSignal, {around, onInterrupt}: TerminalAskOptions): Ask {
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
    // The library asks the environment alone, and when it is loaded.
    if (!colorsOn(process.stderr, process.env)) process.env.NO_COLOR ||= '1'
    try {
      return await question((await import('./prompts.ts')).prompts)
    } catch (error) {
      const name = (error as {name?: string}).name
      if (name === 'ExitPromptError') {
        onInterrupt()
        throw new OllamaxError('INTERRUPTED', 'interrupted at a question')
      }
      throw name === 'AbortPromptError' ? signal.reason : error
    }
  }
  const context = {output: process.stderr, signal}
  return {
    interactive: true,
    // Parts of a question may be what a machine said: its keyboard-interactive prompts above all.
    secret: (text) =>
      one(({password}) => password({message: harmless(text), mask: false}, context)),
    confirm: (text) =>
      one(({confirm}) => confirm({message: harmless(text), default: false}, context)),
    text: (text) => one(({input}) => input({message: harmless(text)}, context)),
    choose: (text, choices) =>
      one(({select}) =>
        select(
          {
            message: harmless(text),
            choices: choices.map(({value, name}) => ({value, name: oneLine(name)})),
          },
          context,
        ),
      ),
  }
}
