import {createReadStream} from 'node:fs'
import type {Reporter} from '../cluster/report.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import type {Remote} from '../ssh/remote.ts'
import {type Artifact, readAsGzip} from './artifact.ts'
import type {Action} from './plan-value.ts'
import {asRoot, type Root} from './privilege.ts'

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
 * Does the actions in order. Stops at the first that fails with ACTION_FAILED, which says what was
 * done before; every action may be run again.
 */
export async function apply(
  remote: Remote,
  actions: readonly Action[],
  options: ApplyOptions,
): Promise<void> {
  const {subject, report} = options
  const done: string[] = []
  for (const action of actions) {
    options.signal.throwIfAborted()
    report({kind: 'start', subject, step: action.title})
    const startMs = Date.now()
    try {
      await applyOne(remote, action, options)
    } catch (error) {
      throw failed(action, error, {subject, done})
    }
    done.push(action.title)
    report({kind: 'done', subject, step: action.title, ms: Date.now() - startMs})
  }
}

async function applyOne(remote: Remote, action: Action, options: ApplyOptions): Promise<void> {
  const {signal} = options
  const call = {
    script: action.script,
    options: {args: action.args, timeoutMs: action.timeoutMs, signal},
  }
  if (action.root && !options.root)
    throw new OllamaxError('SUDO_DENIED', 'root is needed for this, and is not to be had', {
      suggestions: ['Install below the account instead: add --user-mode'],
    })
  const said =
    action.root && options.root
      ? await asRoot(remote, options.root, call)
      : await remote.exec(call.script, call.options)
  if (said.code !== 0) throw new ScriptError(said.code, said.stderr || said.stdout)
  if (action.upload) await upload(remote, action, options)
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

/** A script of ours ended with another exit code than 0. */
class ScriptError extends Error {
  readonly exit: number
  readonly said: string

  constructor(exit: number, said: string) {
    const lines = said.split(/\r?\n/).filter((line) => line.trim() !== '')
    super(lines.slice(-5).join('\n') || `exit code ${exit}`)
    this.exit = exit
    this.said = lines.slice(-40).join('\n')
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
