import {execFileSync} from 'node:child_process'
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {waitFor} from './wait-for.ts'

/** A program on a real terminal, in a tmux of its own. */
export interface Pane {
  /** What stands there, without colours and blanks at the ends of lines. */
  screen(): string
  /** The same with all that has scrolled away before it. */
  history(): string
  /** With the escape sequences of its colours. */
  coloured(): string
  /** Keys as tmux names them: `Enter`, `Escape`, `C-c`, `a`. */
  press(...keys: readonly string[]): void
  /** Letters, as they are. */
  type(text: string): void
  /** Puts a text in as a terminal does with what is pasted. */
  paste(text: string): void
  resize(columns: number, rows: number): void
  /** Waits until that stands there, and returns the screen; the failure shows what stands there instead. */
  sees(what: string | RegExp, timeoutMs?: number): Promise<string>
  /** Of the program; the shell that started it waits. */
  pid(): number
  /** The group of processes that it is in, with the shell that started it. */
  group(): number
  /** Its exit code, once it has ended. */
  ended(): Promise<number>
  /** Whether the terminal is as it was before the program began: screen, cursor, wrapping and all that stty knows. */
  terminal(): {alternate: boolean; cursor: boolean; wrap: boolean; sameModes: boolean}
  close(): void
}

export interface PaneOptions {
  readonly env: Readonly<Record<string, string>>
  readonly columns?: number
  readonly rows?: number
  readonly cwd?: string
  /** Where a program that draws on stderr, too, is seen: on the terminal. Else it is shown once the program has ended. */
  readonly stderr?: 'terminal'
}

/** A terminal that is as it was before; see `Pane.terminal`. */
export const RESTORED = {alternate: false, cursor: true, wrap: true, sameModes: true}

const ROOT = join(import.meta.dirname, '../..')
/** The words of a command line of the built `ollamax`. */
export const ollamax = (...args: readonly string[]): string[] => [
  process.execPath,
  join(ROOT, 'bin/run.js'),
  ...args,
]

/** `stty -g` before and after, and the exit code, stand in files beside. What it says on stderr must not scroll its screen. */
const around = (stderr: 'terminal' | undefined) => `
trap : TERM
stty -g > "$PANE_DIR/before"
echo $$ > "$PANE_DIR/group"
sh -c 'echo $$ > "$PANE_DIR/pid"; exec "$@"' sh "$@" ${stderr === 'terminal' ? '' : '2> "$PANE_DIR/stderr"'}
code=$?
stty -g > "$PANE_DIR/after"
${stderr === 'terminal' ? '' : 'cat "$PANE_DIR/stderr"'}
echo $code > "$PANE_DIR/code.new"; mv "$PANE_DIR/code.new" "$PANE_DIR/code"
exec sleep 600
`

/** A signal to process 0 would be one to all tests. */
function processIn(text: string): number {
  const pid = Number(text)
  if (!(pid > 1)) throw new Error(`"${text}" is no process`)
  return pid
}

/** Starts a program on a terminal of that size. Close it when done. */
export function startPane(
  words: readonly string[],
  {env, columns = 80, rows = 24, cwd, stderr}: PaneOptions,
): Pane {
  const dir = mkdtempSync(join(tmpdir(), 'ollamax-pane-'))
  const socket = join(dir, 'tmux')
  const clean = {TERM: 'xterm', LC_ALL: 'C.UTF-8', ...env, PANE_DIR: dir}
  const tmux = (...args: readonly string[]) =>
    execFileSync('tmux', ['-u', '-S', socket, '-f', '/dev/null', ...args], {
      env: clean,
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  const size = ['-x', `${columns}`, '-y', `${rows}`]
  tmux('new-session', '-d', ...size, '--', 'sh', '-c', around(stderr), 'sh', ...words)
  const read = (name: string) => readFileSync(join(dir, name), 'utf8').trim()
  const screen = () => tmux('capture-pane', '-p').trimEnd()
  return {
    screen,
    history: () => tmux('capture-pane', '-p', '-S', '-').trimEnd(),
    coloured: () => tmux('capture-pane', '-p', '-e'),
    press: (...keys) => void tmux('send-keys', ...keys),
    type: (text) => void tmux('send-keys', '-l', '--', text),
    paste(text) {
      tmux('set-buffer', '--', text)
      tmux('paste-buffer', '-p')
    },
    resize: (x, y) => void tmux('resize-window', '-x', `${x}`, '-y', `${y}`),
    async sees(what, timeoutMs = 15_000) {
      let seen = ''
      const there = () => {
        seen = screen()
        return typeof what === 'string' ? seen.includes(what) : what.test(seen)
      }
      await waitFor('the screen', there, {timeoutMs, everyMs: 50}).catch(() => {
        throw new Error(`${what} does not stand on the screen:\n${seen}`)
      })
      return seen
    },
    pid: () => processIn(read('pid')),
    group: () => processIn(read('group')),
    async ended() {
      await waitFor('its end', () => existsSync(join(dir, 'code')), {timeoutMs: 15_000})
      return Number(read('code'))
    },
    terminal() {
      const flags = tmux('display-message', '-p', '#{alternate_on} #{cursor_flag} #{wrap_flag}')
      const [alternate, cursor, wrap] = flags
        .trim()
        .split(' ')
        .map((flag) => flag === '1')
      return {
        alternate: alternate ?? true,
        cursor: cursor ?? false,
        wrap: wrap ?? false,
        sameModes: read('after') === read('before'),
      }
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
