import {OllamaxError} from '../errors.ts'
import type {Remote, RemoteStep} from '../ssh/remote.ts'
import type {Action} from './plan-value.ts'
import {asRoot, type Root} from './privilege.ts'

/** Stands alone in a line of both outputs after each step of a round. */
const DONE = '=== ollamax: step done ==='

/**
 * Runs several scripts one after the other, each in a shell of its own, up to the first that fails; its exit
 * code is theirs. `$1` a script, `$2` how many arguments it has, then these; and so on with the next.
 */
const ROUND = String.raw`
while [ $# -gt 0 ]; do
  script=$1 count=$2
  shift 2
  (
    at=0 words=
    while [ $at -lt $count ]; do at=$((at + 1)); words="$words \"\@{$at}\""; done
    eval "set -- $words"
    eval "$script"
  )
  code=$?
  [ $code = 0 ] || exit $code
  shift $count
  printf '\n${DONE}\n'
  printf '\n${DONE}\n' >&2
done
exit 0
`.replaceAll('@{', '${')

/** Neighbours that can share a round trip: the same account, and an upload only at the end. */
export function roundsOf(actions: readonly Action[]): Action[][] {
  const rounds: Action[][] = []
  for (const action of actions) {
    const round = rounds.at(-1)
    const last = round?.at(-1)
    if (round && last && last.root === action.root && !last.upload) round.push(action)
    else rounds.push([action])
  }
  return rounds
}

export interface RoundOptions {
  readonly root?: Root | undefined
  readonly signal: AbortSignal
  /** Called as each action is done, in order. */
  readonly onDone: () => void
}

/**
 * Runs the scripts of one round in one command. SUDO_DENIED if it needs root and there is no way to it; ScriptError with
 * what the step that failed has said.
 */
export async function runRound(
  remote: Remote,
  round: readonly Action[],
  {root, signal, onDone}: RoundOptions,
): Promise<void> {
  const asked = round.some((action) => action.root)
  if (asked && !root)
    throw new OllamaxError('SUDO_DENIED', 'root is needed for this, and is not to be had', {
      suggestions: ['Install below the account instead: add --user-mode'],
    })
  const late = lateSteps(round)
  const steps: RemoteStep[] = round.map(({title}) => ({title}))
  const marks = steps.values()
  let sinceMs = Date.now()
  const mark = () => {
    const step = marks.next().value
    if (step) step.ms = Date.now() - sinceMs
    sinceMs = Date.now()
  }
  const call = {
    script: ROUND,
    options: {
      steps,
      args: round.flatMap(({script, args}) => [script, `${args.length}`, ...args]),
      timeoutMs: round.reduce((sum, {timeoutMs}) => sum + timeoutMs, 0),
      onStdout: eachDone(() => {
        mark()
        late.next()
        onDone()
      }),
      signal: AbortSignal.any([signal, late.signal]),
    },
  }
  try {
    const said =
      asked && root
        ? await asRoot(remote, root, call)
        : await remote.exec(call.script, call.options)
    if (said.code !== 0)
      throw new ScriptError(said.code, ofLast(said.stderr) || ofLast(said.stdout))
  } finally {
    late.clear()
  }
}

/** Each step has its own time, so that one which hangs does not use up that of the whole round. */
function lateSteps(round: readonly Action[]) {
  const late = new AbortController()
  const times = round.map(({timeoutMs}) => timeoutMs)
  let timer: NodeJS.Timeout | undefined
  const next = () => {
    clearTimeout(timer)
    const ms = times.shift()
    if (ms === undefined) return
    const error = new OllamaxError('TIMEOUT', `it was not done within ${ms / 1000} s`, {
      suggestions: ['the machine may be overloaded or hang; ollamax doctor tells more'],
    })
    timer = setTimeout(() => late.abort(error), ms)
  }
  next()
  return {signal: late.signal, next, clear: () => clearTimeout(timer)}
}

/** Takes output as it comes, and tells of each line that says that a step is done. */
function eachDone(onDone: () => void): (chunk: Buffer) => void {
  let rest = ''
  return (chunk) => {
    const lines = (rest + chunk.toString('latin1')).split('\n')
    rest = lines.pop()?.slice(-1000) ?? ''
    for (const line of lines) if (line.trim() === DONE) onDone()
  }
}

/** What the step said that ended the round. */
const ofLast = (said: string) => (said.split(DONE).at(-1) ?? '').trim()

/** A script of ours ended with another exit code than 0. */
export class ScriptError extends Error {
  readonly exit: number
  readonly said: string

  constructor(exit: number, said: string) {
    const lines = said.split(/\r?\n/).filter((line) => line.trim() !== '')
    super(lines.slice(-5).join('\n') || `exit code ${exit}`)
    this.exit = exit
    this.said = lines.slice(-40).join('\n')
  }
}
