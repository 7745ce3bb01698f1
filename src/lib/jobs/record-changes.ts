import type {ChangeRecord} from '../cluster/change-record.ts'
import {hideSecrets} from '../cluster/hide-secrets.ts'
import {OllamaxError} from '../errors.ts'
import type {ExecOptions, ExecResult, Remote} from '../ssh/remote.ts'

/** What a remote command did, without who and where. */
export type Change = Pick<ChangeRecord, 'at' | 'what' | 'exit' | 'ms' | 'error'>

/** Longest title that is kept, in characters. */
const MAX_CHARS = 500

/**
 * The same machine, but each command on it that does not say `reads` is told to `record` when it has ended:
 * so nothing that changes a machine can forget to. Arguments and standard input are never told.
 */
export function recorded(remote: Remote, record: (change: Change) => void): Remote {
  const watch = async <T>(
    what: string,
    work: () => Promise<T>,
    exitOf: (result: T) => number,
  ): Promise<T> => {
    const done = stopwatch(what)
    try {
      const result = await work()
      record(done({exit: exitOf(result)}))
      return result
    } catch (error) {
      record(done({exit: null, error: codeOf(error)}))
      throw error
    }
  }
  return {
    target: remote.target,
    hostKey: remote.hostKey,
    certified: remote.certified,
    login: remote.login,
    async exec(script, options = {}) {
      if (options.reads) return remote.exec(script, options)
      if (options.steps) return execSteps(remote, script, {options, record})
      const run = () => remote.exec(script, options)
      return watch(options.title ?? 'run a script', run, (result) => result.code)
    },
    put: (source, path, options = {}) =>
      watch(
        options.title ?? `write ${path}`,
        () => remote.put(source, path, options),
        () => 0,
      ),
    forward: (port, options) => remote.forward(port, options),
    shell: (command) =>
      watch(command ? `shell: ${command}` : 'interactive shell', () => remote.shell(command), same),
    close: () => remote.close(),
  }
}

const same = (exit: number) => exit

/** One record per step that was done, and one for that which was not. */
async function execSteps(
  remote: Remote,
  script: string,
  {options, record}: {options: ExecOptions; record: (change: Change) => void},
): Promise<ExecResult> {
  const steps = options.steps ?? []
  let atMs = Date.now()
  const tell = (end: Pick<Change, 'exit' | 'error'>) => {
    for (const {title, ms} of steps) {
      const at = new Date(atMs).toISOString()
      const what = shown(title)
      if (ms === undefined) {
        if (end.exit !== 0) record({at, what, ...end, ms: Math.max(0, Date.now() - atMs)})
        return
      }
      record({at, what, exit: 0, ms})
      atMs += ms
    }
  }
  try {
    const result = await remote.exec(script, options)
    tell({exit: result.code})
    return result
  } catch (error) {
    tell({exit: null, error: codeOf(error)})
    throw error
  }
}

function stopwatch(what: string): (end: Pick<Change, 'exit' | 'error'>) => Change {
  const sinceMs = Date.now()
  return (end) => ({
    at: new Date(sinceMs).toISOString(),
    what: shown(what),
    ...end,
    ms: Math.max(0, Date.now() - sinceMs),
  })
}

/** One line, not endless, and without what looks like a secret. */
function shown(what: string): string {
  const line = hideSecrets(what).replaceAll(/\s+/g, ' ').trim()
  return line.length > MAX_CHARS ? `${line.slice(0, MAX_CHARS)}...` : line
}

const codeOf = (error: unknown) => (OllamaxError.is(error) ? error.code : 'FAILED')
