import {spawn} from 'node:child_process'

export interface ToolRun {
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

export interface ToolResult {
  /** -1: it could not be started, ended by a signal, or ran past its time. */
  readonly code: number
  /** The end of what it wrote to stdout and stderr, or why it did not run. */
  readonly output: string
}

const KEPT = 8192

/** Runs a program of this machine to its end; throws only when the signal aborts. */
export async function runTool(run: ToolRun): Promise<ToolResult> {
  run.signal.throwIfAborted()
  const timeout = AbortSignal.timeout(run.timeoutMs)
  const result = await new Promise<ToolResult>((resolve) => {
    const child = spawn(run.file, run.args, {
      cwd: run.cwd,
      env: {...run.env},
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: AbortSignal.any([run.signal, timeout]),
      windowsHide: true,
      // npm on Windows is a batch file, which only a shell can run; all arguments are constants of ours.
      shell: process.platform === 'win32' && run.file.endsWith('.cmd'),
    })
    let output = ''
    const keep = (text: string) => {
      output = (output + text).slice(-KEPT)
    }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    child.on('error', (error) => {
      const why = timeout.aborted ? `no end within ${run.timeoutMs / 1000} s` : error.message
      resolve({code: -1, output: `${output}${why}`})
    })
    child.on('close', (code) => resolve({code: code ?? -1, output}))
  })
  run.signal.throwIfAborted()
  return result
}

/** What npm and pip write around the reason. */
const NOISE =
  /complete log of this run|npm error (code|syscall|errno|type) |^\[notice\]|^npm warn|^warning: retrying/i

/** The line of a failed program's output that says why, for an error message. */
export function reasonIn(output: string): string {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !NOISE.test(line))
  const errors = lines.filter((line) => /^(npm error|error\b)/i.test(line))
  return (errors[0] ?? lines.at(-1) ?? 'it did not say why').slice(0, 300)
}
