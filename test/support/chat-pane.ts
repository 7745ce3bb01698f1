import {type Pane, type PaneOptions, startPane} from './tmux.ts'
import {waitFor} from './wait-for.ts'

/** A chat on a real terminal, looked at with all that has scrolled away. */
export interface ChatPane extends Pane {
  /** Types a line and sends it. */
  say(text: string): void
  /** Waits until it stands behind what `mark` has seen; gives all of that. */
  sees(what: string | RegExp): Promise<string>
  /** What is on the terminal now is not to be found by `sees` any more. */
  mark(): void
}

/** Starts a program that chats on a terminal of that size. Close it when done. */
export function openPane(words: readonly string[], options: PaneOptions): ChatPane {
  const pane = startPane(words, {rows: 30, stderr: 'terminal', ...options})
  let passed = 0
  return {
    ...pane,
    say(line) {
      pane.type(line)
      pane.press('Enter')
    },
    async sees(what) {
      let seen = ''
      const there = () => {
        seen = pane.history().slice(passed)
        return typeof what === 'string' ? seen.includes(what) : what.test(seen)
      }
      await waitFor('the terminal', there, {timeoutMs: 20_000, everyMs: 50}).catch(() => {
        throw new Error(`${what} does not stand on the terminal:\n${seen}`)
      })
      return seen
    },
    mark() {
      // The line being written and what is below it are drawn anew and do not count.
      passed = Math.max(0, pane.history().lastIndexOf('\n>>>'))
    },
  }
}
