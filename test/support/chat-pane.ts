import {execFileSync} from 'node:child_process'
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {waitFor} from './wait-for.ts'

/** A chat on a real terminal: a tmux of its own, with all that has scrolled away. */
export interface ChatPane {
  /** All lines, the oldest first, without blanks at their ends. */
  text(): string
  /** Only what stands on the screen now. */
  screen(): string
  /** Types letters as they are. */
  type(text: string): void
  /** Presses keys by tmux's names: `Enter`, `C-c`, `M-Enter`, `Up`. */
  press(...keys: readonly string[]): void
  /** Types a line and sends it. */
  say(text: string): void
  /** Puts a text in as a terminal does with what is pasted. */
  paste(text: string): void
  resize(columns: number, rows: number): void
  /** Waits until it stands behind what `mark` has seen; gives all of that. */
  sees(what: string | RegExp): Promise<string>
  /** What is on the terminal now is not to be found by `sees` any more. */
  mark(): void
  pid(): number
  /** Its exit code, and whether the terminal is as it was before. */
  ended(): Promise<{readonly code: number; readonly restored: boolean; readonly cursor: boolean}>
  close(): void
}

interface PaneOptions {
  readonly env: Readonly<Record<string, string>>
  readonly columns?: number
  readonly rows?: number
  readonly cwd?: string
}

const RUN = join(import.meta.dirname, '../../bin/run.js')
const AROUND = `
stty -g > "$DIR/before"
sh -c 'echo $$ > "$DIR/pid"; exec "$@"' sh "$@"
code=$?
stty -g > "$DIR/after"
echo $code > "$DIR/code.new"; mv "$DIR/code.new" "$DIR/code"
exec sleep 600
`

/** Starts the built `ollamax` with these words on a terminal of that size. Close it when done. */
export function openPane(words: readonly string[], options: PaneOptions): ChatPane {
  const {env, columns = 80, rows = 30, cwd} = options
  const dir = mkdtempSync(join(tmpdir(), 'ollamax-chat-'))
  const tmux = (...args: readonly string[]) =>
    execFileSync('tmux', ['-u', '-S', join(dir, 'socket'), '-f', '/dev/null', ...args], {
      env: {TERM: 'xterm', LC_ALL: 'C.UTF-8', ...env, DIR: dir},
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  const size = ['-x', `${columns}`, '-y', `${rows}`]
  const program = [process.execPath, RUN, ...words]
  tmux('new-session', '-d', ...size, '--', 'sh', '-c', AROUND, 'sh', ...program)
  const read = (name: string) => readFileSync(join(dir, name), 'utf8').trim()
  const text = () => tmux('capture-pane', '-p', '-S', '-').trimEnd()
  let passed = 0
  const type = (keys: string) => void tmux('send-keys', '-l', '--', keys)
  const press = (...keys: readonly string[]) => void tmux('send-keys', ...keys)
  return {
    text,
    screen: () => tmux('capture-pane', '-p').trimEnd(),
    type,
    press,
    say(line) {
      type(line)
      press('Enter')
    },
    paste(pasted) {
      tmux('set-buffer', '--', pasted)
      tmux('paste-buffer', '-p')
    },
    resize: (x, y) => void tmux('resize-window', '-x', `${x}`, '-y', `${y}`),
    async sees(what) {
      let seen = ''
      const there = () => {
        seen = text().slice(passed)
        return typeof what === 'string' ? seen.includes(what) : what.test(seen)
      }
      await waitFor('the terminal', there, {timeoutMs: 20_000, everyMs: 50}).catch(() => {
        throw new Error(`${what} does not stand on the terminal:\n${seen}`)
      })
      return seen
    },
    mark() {
      // The line being written and what is below it are drawn anew and do not count.
      passed = Math.max(0, text().lastIndexOf('\n>>>'))
    },
    pid: () => Number(read('pid')),
    async ended() {
      await waitFor('its end', () => existsSync(join(dir, 'code')), {timeoutMs: 20_000})
      const cursor = tmux('display-message', '-p', '#{cursor_flag}').trim() === '1'
      return {code: Number(read('code')), restored: read('before') === read('after'), cursor}
    },
    close() {
      try {
        tmux('kill-server')
      } catch {
        // It has ended by itself.
      }
      rmSync(dir, {recursive: true, force: true})
    },
  }
}
