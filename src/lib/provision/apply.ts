import {createReadStream} from 'node:fs'
import type {Reporter} from '../cluster/report.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import type {Remote} from '../ssh/remote.ts'
import {type Artifact, readAsGzip} from './artifact.ts'
import type {Action} from './plan-value.ts'
import type {Root} from './privilege.ts'
import {roundsOf, runRound, ScriptError} from './round.ts'

export interface ApplyOptions {
  /** Needed if an action wants it. */
  readonly root?: Root | undefined
  /** Needed if an action uploads. */
  readonly artifact?: Artifact | undefined
  /** Name of the node in progress events and errors. */
  readonly subject: string
  readonly report: Reporter
  readonly signal: AbortSignal
}

/**
 * Does the actions in order, neighbours of the same account in one round trip. Stops at the first that
 * fails with ACTION_FAILED, which says what was done before; every action may be run again.
 */
export async function apply(
  remote: Remote,
  actions: readonly Action[],
  options: ApplyOptions,
): Promise<void> {
  const done: string[] = []
  for (const round of roundsOf(actions)) {
    options.signal.throwIfAborted()
    await applyRound(remote, round, {...options, done})
  }
}

async function applyRound(
  remote: Remote,
  round: readonly Action[],
  options: ApplyOptions & {readonly done: string[]},
): Promise<void> {
  const {subject, report, done} = options
  let at = 0
  let startMs = 0
  const begin = () => {
    const action = round[at]
    startMs = Date.now()
    if (action) report({kind: 'start', subject, step: action.title})
  }
  const finish = () => {
    const action = round[at++]
    if (!action) return
    done.push(action.title)
    // Steps of one round trip are heard of together: the first would seem to take all of it, the others nothing.
    const own = round.length === 1 ? {ms: Date.now() - startMs} : {}
    report({kind: 'done', subject, step: action.title, ...own})
    begin()
  }
  begin()
  try {
    await runRound(remote, round, {
      ...options,
      // The last one is done when all of its round is: what it uploads comes after its script.
      onDone: () => at < round.length - 1 && finish(),
    })
    const last = round.at(-1)
    if (last?.upload) await upload(remote, last, options)
    while (at < round.length) finish()
  } catch (error) {
    const action = round[at]
    throw action ? failed(action, error, {subject, done}) : error
  }
}

async function upload(remote: Remote, action: Action, options: ApplyOptions): Promise<void> {
  const {artifact, subject, report, signal} = options
  if (!artifact || !action.upload) throw new Error('an action uploads, and no artifact was given')
  const {path, asGzip} = action.upload
  // A re-encoded archive has another size; it is only known at its end.
  const total = asGzip ? {} : {total: artifact.sizeBytes}
  let shownMs = 0
  const source = asGzip ? readAsGzip(artifact) : createReadStream(artifact.path)
  try {
    await remote.put(source, path, {
      title: action.title,
      mode: 0o600,
      signal,
      onBytes: (sent) => {
        const nowMs = Date.now()
        if (nowMs - shownMs < 100 && sent !== artifact.sizeBytes) return
        shownMs = nowMs
        report({kind: 'bytes', subject, step: action.title, done: sent, ...total})
      },
    })
  } finally {
    source.destroy()
  }
}

interface Context {
  readonly subject: string
  readonly done: readonly string[]
}

function failed(action: Action, error: unknown, {subject, done}: Context): unknown {
  if (OllamaxError.is(error, 'INTERRUPTED') || OllamaxError.is(error, 'SUDO_DENIED')) return error
  const again = done.length
    ? `Done before it: ${done.join(', ')}. Running the same command again is safe and goes on from there.`
    : 'Nothing was changed before it. Running the same command again is safe.'
  const script = error instanceof ScriptError ? error : undefined
  const why = messageOf(error)
  const code =
    /checksum mismatch|no bin\/ollama in the archive|does not start on this machine/.test(why)
      ? 'ARTIFACT_BAD'
      : 'ACTION_FAILED'
  return new OllamaxError(code, `${subject}: the step "${action.title}" failed: ${why}`, {
    suggestions: [...adviceOn(why), again],
    cause: error,
    details: {
      node: subject,
      step: action.title,
      done,
      ...(script ? {exit: script.exit, stderr: script.said} : {}),
      ...(OllamaxError.is(error) ? {cause: error.code} : {}),
    },
  })
}

/** What helps against the failures that machines have in common. */
function adviceOn(why: string): string[] {
  if (/No space left|Disk quota|Failure.*SFTP|SSH_FX_FAILURE/i.test(why))
    return ['Make room on that disk (df -h shows which one is full)']
  if (/Read-only file system/i.test(why)) return ['Mount that file system writable']
  if (/does not start on this machine/.test(why))
    return [
      'Use an archive for that machine and its C library; uname -m and ldd --version tell them',
    ]
  if (/checksum mismatch/.test(why))
    return ['The archive was damaged on its way and has been removed there: run this again']
  if (/curl ended with exit code/.test(why))
    return ['The host cannot download it: carry an archive there with --artifact FILE']
  if (/enable-linger/.test(why))
    return ['Let an administrator run there: loginctl enable-linger ACCOUNT']
  if (/masked/.test(why)) return ['Someone masked the service: sudo systemctl unmask ollama']
  return []
}
