import {Readable} from 'node:stream'
import {OllamaxError} from '../errors.ts'
import type {ExecOptions, ExecResult, Remote} from '../ssh/remote.ts'
import type {Sudo} from './facts.ts'

/** How scripts that need root get it. */
export type Root =
  | {readonly kind: 'is-root'}
  | {readonly kind: 'sudo'}
  /** `tty`: sudo insists on a terminal. */
  | {readonly kind: 'sudo-password'; readonly password: string; readonly tty: boolean}
  | {readonly kind: 'sudo-tty'}

/**
 * Root's side: `$1` is the script, the rest are its arguments. sudo passes a signal on to its own child
 * alone, so whatever the script has started would go on when the command is broken off; and the account
 * cannot kill what runs as root, so this does it where TERM was not enough after two seconds.
 */
const ROOT_SIDE = `end() { trap "" TERM; kill -TERM 0; n=0; while [ $n -lt 20 ] && kill -0 $p 2>/dev/null; do n=$((n + 1)); sleep 0.1; done; kill -KILL 0; }; trap end TERM; exec 3<&0; /bin/sh -c "$@" <&3 3<&- & p=$!; wait $p`
/** `$1` is the script for root, the rest are its arguments. */
const command = (how: string) =>
  `s=$1; shift; LC_ALL=C exec sudo ${how} -- /bin/sh -c '${ROOT_SIDE}' sh "$s" sh "$@"`
const SUDO = command('-n')
/** The password is read from standard input, so no process list shows it; -k: always read it. */
const SUDO_PASSWORD = command("-k -S -p ''")

/** Runs a script as root, with its standard input where it has one. SUDO_DENIED if sudo refuses the account or its password. */
export async function asRoot(
  remote: Remote,
  root: Root,
  call: {readonly script: string; readonly options?: ExecOptions},
): Promise<ExecResult> {
  const options = call.options ?? {}
  if (root.kind === 'is-root') return remote.exec(call.script, options)
  const args = [call.script, ...(options.args ?? [])]
  let result: ExecResult
  if (root.kind === 'sudo-password') {
    const {password, tty: pty} = root
    const stdin = behindPassword(password, options.stdin)
    result = await remote.exec(SUDO_PASSWORD, {...options, args, stdin, pty})
    result = hide(result, root.password)
  } else {
    result = await remote.exec(SUDO, {...options, args, pty: root.kind === 'sudo-tty'})
  }
  if (result.code !== 0) refuse(remote, `${result.stderr}\n${result.stdout}`)
  return result
}

/** sudo reads its line byte by byte, and leaves what follows to the script. */
function behindPassword(password: string, stdin: ExecOptions['stdin']): string | Readable {
  if (stdin === undefined) return `${password}\n`
  return Readable.from(
    (async function* () {
      yield Buffer.from(`${password}\n`)
      if (stdin instanceof Readable) yield* stdin
      else yield Buffer.from(stdin)
    })(),
  )
}

/** A script as one that anybody may run who may become root there without a password; undefined where one is wanted. */
export function scriptAsRoot(
  root: Root,
  script: string,
  args: readonly string[],
): {readonly script: string; readonly args: readonly string[]} | undefined {
  if (root.kind === 'is-root') return {script, args}
  return root.kind === 'sudo' ? {script: SUDO, args: [script, ...args]} : undefined
}

/** A terminal may have echoed the password before sudo turned that off: it goes no further. */
function hide(result: ExecResult, password: string): ExecResult {
  const clean = (text: string) => (password === '' ? text : text.replaceAll(password, ''))
  return {code: result.code, stdout: clean(result.stdout), stderr: clean(result.stderr)}
}

function refuse(remote: Remote, said: string): void {
  const deny = (why: string, suggestions: readonly string[]) => {
    throw new OllamaxError('SUDO_DENIED', `${remote.target}: ${why}`, {suggestions})
  }
  const userMode = 'Install below the account instead: add --user-mode'
  if (/^sudo: \d+ incorrect password|^Sorry, try again|no password was provided/m.test(said))
    deny('sudo refused the password', ['Give the password of the account that logs in there'])
  if (/may not run|not in the sudoers|not allowed to (run|execute)/.test(said))
    deny('the account may not use sudo', [userMode, 'Log in as an account that may use sudo'])
  if (/must have a tty/.test(said)) deny('sudo wants a terminal (requiretty)', [userMode])
  if (/^sudo: .*a password is required/m.test(said))
    deny('sudo wants a password', [
      'Give it by --sudo-password-stdin, by OLLAMAX_SUDO_PASSWORD, or at a terminal',
      userMode,
    ])
  if (/^sudo: (?!unable to resolve)/m.test(said))
    deny(`sudo failed: ${/^sudo: .*$/m.exec(said)?.[0].trim() ?? ''}`, [userMode])
}

/** Which way to root the account has; undefined where it has none. Asks `password` only if needed. */
export async function rootFor(
  sudo: Sudo,
  password: () => Promise<string>,
): Promise<Root | undefined> {
  if (sudo === 'root') return {kind: 'is-root'}
  if (sudo === 'passwordless') return {kind: 'sudo'}
  if (sudo === 'password') return {kind: 'sudo-password', password: await password(), tty: false}
  return undefined
}

/**
 * Finds out what the first look could not: whether sudo lets the account in at all when it is given
 * a terminal (requiretty). Returns the way to root; `password` is asked for only if that is wanted.
 */
export async function rootByTty(
  remote: Remote,
  password: () => Promise<string>,
): Promise<Root | undefined> {
  const said = await remote.exec('LC_ALL=C sudo -n -v && LC_ALL=C sudo -n true', {
    reads: true,
    pty: true,
  })
  if (said.code === 0) return {kind: 'sudo-tty'}
  if (/password is required/.test(said.stdout + said.stderr))
    return {kind: 'sudo-password', password: await password(), tty: true}
  return undefined
}
