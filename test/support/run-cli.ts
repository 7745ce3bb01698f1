import {type ChildProcessWithoutNullStreams, spawn} from 'node:child_process'
import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {checkJson} from './schema.ts'

const ROOT = join(import.meta.dirname, '../..')
const RUN = join(ROOT, 'bin/run.js')

export interface CliOptions {
  /** The whole environment; usually that of a `tempHome()`. */
  readonly env: Readonly<Record<string, string>>
  /** Sent to standard input, which is then closed. Default: closed at once. */
  readonly stdin?: string | Uint8Array
  readonly signal?: AbortSignal
  /** Killed after this long, which is a failure. Default 60,000. */
  readonly timeoutMs?: number
  readonly cwd?: string
  /** Words put before the command, as `nsenter ... --`. */
  readonly wrap?: readonly string[]
}

export interface CliResult {
  /** Exit code; 128 + n where a signal ended it. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A CLI that still runs. `ended` never rejects for an exit code. */
export interface RunningCli {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<CliResult>
  /** What has come so far. */
  stdout(): string
  stderr(): string
}

/**
 * Runs the built `ollamax` to its end, as a user would. What a successful command prints with --json must be what
 * docs/schemas promises, whatever else a test wants of it.
 */
export async function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  const running = startCli(args, options)
  running.child.stdin.on('error', () => {})
  running.child.stdin.end(options.stdin ?? '')
  const result = await running.ended
  if (result.code === 0) checkJson(args, result.stdout)
  return result
}

/** Starts the built `ollamax`; standard input stays open, the caller writes, reads and kills. */
export function startCli(args: readonly string[], options: CliOptions): RunningCli {
  if (!existsSync(join(ROOT, 'dist/main.cjs')))
    throw new Error('dist/ is missing: run "npm run build" first')
  const words = [...(options.wrap ?? []), process.execPath, RUN, ...args]
  const child = spawn(words[0] ?? '', words.slice(1), {
    env: options.env,
    cwd: options.cwd,
    stdio: 'pipe',
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  const stdout = (): string => Buffer.concat(out).toString('utf8')
  const stderr = (): string => Buffer.concat(err).toString('utf8')
  return {child, stdout, stderr, ended: ending()}

  function ending(): Promise<CliResult> {
    const timeoutMs = options.timeoutMs ?? 60_000
    return new Promise((resolve, reject) => {
      let late = false
      const timer = setTimeout(() => {
        late = true
        child.kill('SIGKILL')
      }, timeoutMs)
      const abort = (): void => {
        child.kill('SIGKILL')
      }
      options.signal?.addEventListener('abort', abort, {once: true})
      child.once('error', reject)
      child.once('close', (code, signal) => {
        clearTimeout(timer)
        options.signal?.removeEventListener('abort', abort)
        if (late)
          reject(
            new Error(
              `ollamax ${args.join(' ')}: not ended after ${timeoutMs} ms\n${stdout()}\n${stderr()}`,
            ),
          )
        else resolve({code: code ?? 128 + signalNumber(signal), stdout: stdout(), stderr: stderr()})
      })
    })
  }
}

const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGKILL: 9,
  SIGPIPE: 13,
  SIGTERM: 15,
}
const signalNumber = (signal: string | null): number => SIGNALS[signal ?? ''] ?? 0
