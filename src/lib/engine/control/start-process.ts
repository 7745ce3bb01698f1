import {spawn} from 'node:child_process'
import {randomBytes} from 'node:crypto'
import {mkdir, open, readFile} from 'node:fs/promises'
import {setTimeout as wait} from 'node:timers/promises'
import {withoutSecrets} from '../../cluster/secret-env.ts'
import {messageOf, OllamaxError} from '../../errors.ts'
import {type EngineRecord, engineLog, readRecord} from './engine-record.ts'

export interface StartOptions {
  /** Our own program: its path, to be run by this same Node. */
  readonly program: string
  readonly run: string
  readonly env: Readonly<NodeJS.ProcessEnv>
  /** 0: any free one. */
  readonly port: number
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/**
 * Starts the engine as a process of its own that outlives us, and waits until it has written its
 * record, which it does once it listens. ENGINE_FAILED with its last words if it ends before.
 */
export async function startProcess(options: StartOptions): Promise<EngineRecord> {
  const {run, signal} = options
  const instance = randomBytes(8).toString('hex')
  await mkdir(run, {recursive: true, mode: 0o700})
  // Begun anew each time: what counts is why this one did not start.
  const log = await open(engineLog(run), 'w', 0o600)
  const args = ['engine', 'serve', '--instance', instance, '--port', String(options.port)]
  const child = spawn(process.execPath, [options.program, ...args], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: withoutSecrets(options.env),
    cwd: run,
    windowsHide: true,
  })
  let ended: string | undefined
  child.on('error', (error) => {
    ended = error.message
  })
  child.on('exit', (code, name) => {
    ended ??= name ? `ended by ${name}` : `exit code ${code}`
  })
  await log.close()
  try {
    const endAt = performance.now() + options.timeoutMs
    for (;;) {
      const record = await readRecord(run)
      if (record?.instance === instance) return record
      if (ended !== undefined) throw await failed(run, ended)
      if (performance.now() > endAt)
        throw await failed(run, `it did not answer within ${options.timeoutMs / 1000} s`)
      await wait(25, undefined, {signal})
    }
  } catch (error) {
    child.kill('SIGKILL')
    signal.throwIfAborted()
    throw error
  } finally {
    child.removeAllListeners()
    child.unref()
  }
}

async function failed(run: string, why: string): Promise<OllamaxError> {
  const log = await readFile(engineLog(run), 'utf8').catch((error) => messageOf(error))
  const [, words] = /^Error: (.*)$/m.exec(log) ?? []
  return new OllamaxError('ENGINE_FAILED', `the embedded node did not start: ${words ?? why}`, {
    suggestions: [`see ${engineLog(run)}`],
    details: {log: log.slice(-2000)},
  })
}
