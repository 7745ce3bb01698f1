import {execFile} from 'node:child_process'
import {OllamaxError} from '../../errors.ts'
import type {UnitSpec} from './unit.ts'

const STEP_MS = 90_000
const MAX_BYTES = 1024 * 1024

export interface Said {
  readonly code: number
  /** Without the last newline. */
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, whatever its exit code. UNFIT if there is no such program, TIMEOUT after 90 s. */
export function runProgram(
  program: string,
  args: readonly string[],
  {env, signal}: {readonly env: Readonly<NodeJS.ProcessEnv>; readonly signal: AbortSignal},
): Promise<Said> {
  return new Promise((resolve, reject) => {
    const options = {
      env,
      signal,
      timeout: STEP_MS,
      maxBuffer: MAX_BYTES,
      killSignal: 'SIGKILL',
    } as const
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error?.code === 'ENOENT') {
        reject(new OllamaxError('UNFIT', `there is no ${program} on this machine`, {cause: error}))
      } else if (signal.aborted) reject(signal.reason)
      else if (error?.killed) {
        const words = [program, ...args].join(' ')
        reject(new OllamaxError('TIMEOUT', `"${words}" did not end within ${STEP_MS / 1000} s`))
      } else {
        const code = error ? (typeof error.code === 'number' ? error.code : 1) : 0
        resolve({code, stdout: stdout.trimEnd(), stderr: stderr.trimEnd()})
      }
    })
  })
}

/** Where the account's own systemd is found, also by a shell that was not told, as after `su`. */
export function busEnv(
  env: Readonly<NodeJS.ProcessEnv>,
  scope: UnitSpec['scope'],
  uid: number,
): Readonly<NodeJS.ProcessEnv> {
  if (scope === 'system' || env.XDG_RUNTIME_DIR) return env
  return {...env, XDG_RUNTIME_DIR: `/run/user/${uid}`}
}
