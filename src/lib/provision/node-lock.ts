import type {ExecResult, Remote} from '../ssh/remote.ts'
import {type Layout, layoutFor} from './layout.ts'
import {asRoot, type Root} from './privilege.ts'
import {script} from './scripts.ts'

/** Stands on a machine while an operator changes its Ollama, for the operators of other machines. */
const FILE = '.ollamax/deploy-lock'

/** `$1` root, `$2` the text of who takes it. Exit code 75: somebody has it, who is printed. */
const TAKE = script`
mkdir -p "$1/.ollamax"
if (set -C; printf '%s\n' "$2" >"$1/${FILE}") 2>/dev/null; then exit 0; fi
[ -e "$1/${FILE}" ] || fail "cannot write $1/${FILE}"
cat "$1/${FILE}"
exit 75
`

/** `$1` root, `$2` a word that only that holder's text has: takes the lock away from that one. */
const LET_GO = script`
[ -e "$1/${FILE}" ] || exit 0
! grep -qF "$2" "$1/${FILE}" || rm -f "$1/${FILE}"
`

/** Prints who has it, for both ways to install; nothing: nobody. */
const WHO = script`
for f in "/opt/ollama/${FILE}" "$HOME/.local/share/ollamax/ollama/${FILE}"; do
  [ ! -r "$f" ] || { cat "$f"; exit 0; }
done
`

export interface NodeLockPlace {
  readonly install: 'system' | 'user'
  readonly home: string
  /** For an installation of the whole machine. */
  readonly root?: Root | undefined
  readonly signal: AbortSignal
}

/** Takes the lock of a machine; undefined: it is ours, else the text of who has it. Throws what exec throws. */
export async function takeNodeLock(
  remote: Remote,
  place: NodeLockPlace,
  text: string,
): Promise<string | undefined> {
  const said = await run(remote, place, {script: TAKE, title: 'take the deploy lock', args: [text]})
  if (said.code === 0) return undefined
  if (said.code === 75) return said.stdout.trim()
  throw new Error(said.stderr.trim() || `exit code ${said.code}`)
}

/** Takes the lock away from the holder in whose text `nonce` stands; nothing if another one has it. */
export async function dropNodeLock(
  remote: Remote,
  place: NodeLockPlace,
  nonce: string,
): Promise<void> {
  const title = 'let go of the deploy lock'
  const said = await run(remote, place, {script: LET_GO, title, args: [nonce]})
  if (said.code !== 0) throw new Error(said.stderr.trim() || `exit code ${said.code}`)
}

/** The text of who has the lock of a machine; undefined: nobody. */
export async function readNodeLock(
  remote: Remote,
  signal: AbortSignal,
): Promise<string | undefined> {
  const said = await remote.exec(WHO, {reads: true, signal})
  return said.stdout.trim() || undefined
}

function run(
  remote: Remote,
  {install, home, root, signal}: NodeLockPlace,
  call: {readonly script: string; readonly title: string; readonly args: readonly string[]},
): Promise<ExecResult> {
  const layout: Layout = layoutFor(install, home)
  const options = {title: call.title, args: [layout.root, ...call.args], signal, timeoutMs: 20_000}
  return install === 'system' && root
    ? asRoot(remote, root, {script: call.script, options})
    : remote.exec(call.script, options)
}
