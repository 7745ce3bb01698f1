import {spawn} from 'node:child_process'
import {chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import type {TempHome} from './temp-home.ts'
import {waitFor} from './wait-for.ts'

const RUN = join(import.meta.dirname, '../../bin/run.js')
const READY = 'ready>'

/** How an interactive shell of each kind is started without a word of this machine's own settings. */
const STARTS: Readonly<Record<string, (home: string) => readonly string[]>> = {
  bash: () => ['bash', '--noprofile', '-i'],
  zsh: () => ['zsh', '-i'],
  fish: () => ['fish', '-i'],
}

/** An interactive shell on a terminal of its own, whose `ollamax` completes for real and only notes its words otherwise. */
export interface ShellTerminal {
  /** Types a line (`\t` is the Tab key), sends it, and returns the words that `ollamax` was started with. */
  wordsOf(line: string): Promise<readonly string[]>
  /** Types keys and waits until the screen shows a text; then empties the line. */
  shows(keys: string, text: string): Promise<string>
  close(): Promise<void>
}

/** `startup`: what the shell reads at its start, where that is not a file of the home already. */
export async function openShell(
  shell: 'bash' | 'zsh' | 'fish',
  home: TempHome,
  cwd = home.dir,
): Promise<ShellTerminal> {
  const bin = join(home.dir, 'bin')
  const noted = join(home.dir, `words-${shell}`)
  mkdirSync(bin, {recursive: true})
  writeFileSync(
    join(bin, 'ollamax'),
    `#!/bin/sh
if [ "$1" = complete ]; then exec '${process.execPath}' '${RUN}' "$@"; fi
printf '%s\\0' "$@" >'${noted}.new'; mv '${noted}.new' '${noted}'
`,
  )
  chmodSync(join(bin, 'ollamax'), 0o755)
  const env = {
    ...home.env,
    PATH: `${bin}:${home.env.PATH}`,
    TERM: 'xterm',
    PS1: READY,
    SHELL: '/bin/sh',
    XDG_CONFIG_HOME: join(home.dir, '.config'),
    XDG_DATA_HOME: join(home.dir, '.local/share'),
  }
  const words = (STARTS[shell]?.(home.dir) ?? []).map((word) => `'${word}'`).join(' ')
  const child = spawn('script', ['-qefc', `stty cols 150 rows 50; exec ${words}`, '/dev/null'], {
    env,
    cwd,
  })
  let out = ''
  child.stdout.on('data', (text) => {
    out += text
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  await waitFor(`the prompt of ${shell}`, () => out.includes(READY))
  const seen = (what: string, before: number, condition: () => boolean) =>
    waitFor(`${shell} ${what}`, condition).catch((cause) => {
      throw new Error(`it shows ${JSON.stringify(out.slice(before))}`, {cause})
    })
  return {
    async wordsOf(line) {
      rmSync(noted, {force: true})
      const before = out.length
      child.stdin.write(`${line}\r`)
      await seen(`to run ${JSON.stringify(line)}`, before, () => existsSync(noted))
      return readFileSync(noted, 'utf8').split('\0').slice(0, -1)
    },
    async shows(keys, text) {
      const before = out.length
      child.stdin.write(keys)
      await seen(`to show ${text}`, before, () => out.slice(before).includes(text))
      const shown = out.slice(before)
      child.stdin.write('\u0003')
      return shown
    },
    async close() {
      // The shell then loses its terminal, which even an interactive one does not survive.
      child.kill('SIGKILL')
      await ended
    },
  }
}
