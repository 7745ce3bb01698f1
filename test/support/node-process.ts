import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import type {Settings} from './fake-ollama/options.ts'
import type {SeenRequest} from './fake-ollama.ts'

/** A stand-in node in a process of its own, which can be killed. */
export interface NodeProcess {
  readonly url: string
  requests(): Promise<readonly SeenRequest[]>
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>
}

/** Resolves when it listens. */
export async function startNodeProcess(
  settings: Partial<Settings>,
  port = 0,
): Promise<NodeProcess> {
  const file = join(import.meta.dirname, 'fake-ollama.ts')
  const args = ['--port', `${port}`, '--settings', JSON.stringify(settings)]
  const child = spawn(process.execPath, [file, ...args], {stdio: ['ignore', 'pipe', 'inherit']})
  const line = await firstLine(child)
  const {url, controlPort} = JSON.parse(line) as {url: string; controlPort: number}
  return {
    url,
    async requests() {
      const told = await fetch(`http://127.0.0.1:${controlPort}/control`)
      return ((await told.json()) as {requests: SeenRequest[]}).requests
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}

async function firstLine({stdout}: ChildProcess): Promise<string> {
  if (!stdout) throw new Error('it has no output')
  for await (const line of createInterface({input: stdout})) {
    stdout.resume()
    return line
  }
  throw new Error('it ended before it listened')
}
