import {spawn} from 'node:child_process'

/** What a command on the machine or in a lab gave. */
export interface ToolResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface ToolOptions {
  readonly stdin?: string | Uint8Array
  readonly env?: Readonly<NodeJS.ProcessEnv>
  /** Default 60,000; then it is killed, which is a failure. */
  readonly timeoutMs?: number
}

/** Runs a command to its end, whatever its exit code. */
export function tool(words: readonly string[], options: ToolOptions = {}): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(words[0] ?? '', words.slice(1), {env: options.env ?? process.env})
    let stdout = ''
    let stderr = ''
    const timeoutMs = options.timeoutMs ?? 60_000
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, timeoutMs)
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.once('error', reject)
    // `exit`, not `close`: what the command left behind in the background may hold its output open.
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      setImmediate(() => {
        if (late)
          reject(new Error(`${words.join(' ')}: not ended after ${timeoutMs} ms\n${stderr}`))
        else resolve({code: code ?? (signal ? 128 : 1), stdout, stderr})
      })
    })
    child.stdin.on('error', () => {})
    child.stdin.end(options.stdin ?? '')
  })
}

/** As `tool`, but a non-zero exit code is a failure with everything the command said. Gives its stdout. */
export async function must(words: readonly string[], options: ToolOptions = {}): Promise<string> {
  const result = await tool(words, options)
  if (result.code !== 0)
    throw new Error(`${words.join(' ')}: exit ${result.code}\n${result.stdout}${result.stderr}`)
  return result.stdout
}
