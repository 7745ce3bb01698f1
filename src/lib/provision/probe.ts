import {request} from 'node:http'
import {setTimeout as wait} from 'node:timers/promises'
import {OllamaxError} from '../errors.ts'
import type {Remote} from '../ssh/remote.ts'
import type {Facts} from './facts.ts'
import {FACTS_SCRIPT} from './facts-script.ts'
import {readFacts} from './read-facts.ts'

export interface ProbeOptions {
  /** Loopback port that Ollama shall have; absent: the one it has, or 11434. */
  readonly port?: number | undefined
  /** Name of an archive that may lie in the staging directory. */
  readonly staged?: string | undefined
  /** Tried from there with a short deadline. */
  readonly releasesUrl?: string | undefined
  readonly signal?: AbortSignal
}

/**
 * Looks at a host without changing it: one script, and one question to its Ollama through the
 * connection. Errors are those of Remote, and UNFIT for a machine whose shell is not a POSIX one.
 */
export async function probe(remote: Remote, options: ProbeOptions = {}): Promise<Facts> {
  const {signal} = options
  const port = options.port ?? 11434
  const startMs = Date.now()
  const asked = askVersion(remote, port, signal)
  asked.catch(() => undefined)
  const args = [`${options.port ?? ''}`, options.staged ?? '', options.releasesUrl ?? '']
  const said = await remote.exec(FACTS_SCRIPT, {reads: true, args, ...(signal ? {signal} : {})})
  const facts = readFacts(said.stdout, {startMs, endMs: Date.now()})
  if (!facts) {
    throw new OllamaxError('UNFIT', `${remote.target} did not answer as a POSIX shell does`, {
      suggestions: [
        'Only Linux and macOS can become nodes; on Windows, run Ollama and add it by http://',
        `See what it says: ssh ${remote.target} uname -a`,
      ],
      details: {exit: said.code, stderr: said.stderr.slice(-2000)},
    })
  }
  const answers = facts.port === port ? await asked : await askVersion(remote, facts.port, signal)
  return answers === undefined ? facts : {...facts, ollama: {...facts.ollama, answers}}
}

/**
 * The version that Ollama on the host's loopback says, asked through the connection; undefined if
 * what listens there (if anything) does not answer as Ollama does within 3 seconds.
 */
async function askVersion(
  remote: Remote,
  port: number,
  signal?: AbortSignal,
): Promise<string | undefined> {
  try {
    const reply = (await getJson(remote, {
      port,
      path: '/api/version',
      timeoutMs: 3000,
      signal,
    })) as {
      version?: unknown
    }
    return typeof reply.version === 'string' ? reply.version : undefined
  } catch (error) {
    if (signal?.aborted || OllamaxError.is(error, 'SSH_LOST')) throw error
    return undefined
  }
}

/**
 * As `askVersion`, again and again until something answers; undefined after the deadline. A question that
 * nobody hears costs the host next to nothing: no process, only a stream that is refused.
 */
export async function awaitVersion(
  remote: Remote,
  {port, timeoutMs, signal}: {port: number; timeoutMs: number; signal: AbortSignal},
): Promise<string | undefined> {
  const startMs = performance.now()
  for (;;) {
    const version = await askVersion(remote, port, signal)
    const waitedMs = performance.now() - startMs
    if (version !== undefined || waitedMs > timeoutMs) return version
    await wait(Math.min(500, Math.max(50, waitedMs * 0.4)), undefined, {signal})
  }
}

export interface Question {
  readonly port: number
  readonly path: string
  readonly timeoutMs: number
  /** Sent by POST when given. */
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
}

/** One small JSON question to the HTTP server on the host's loopback; throws on anything but 200. */
export async function getJson(remote: Remote, question: Question): Promise<unknown> {
  const deadline = AbortSignal.timeout(question.timeoutMs)
  const signal = question.signal ? AbortSignal.any([question.signal, deadline]) : deadline
  const stream = await remote.forward(question.port, {signal})
  const text = await new Promise<string>((resolve, reject) => {
    const body = question.body === undefined ? undefined : JSON.stringify(question.body)
    const sent = request(
      {
        method: body === undefined ? 'GET' : 'POST',
        path: question.path,
        headers: {
          host: `127.0.0.1:${question.port}`,
          connection: 'close',
          ...(body === undefined ? {} : {'content-length': Buffer.byteLength(body)}),
        },
        createConnection: () => stream,
        signal,
      },
      (reply) => {
        let all = ''
        reply.setEncoding('utf8')
        reply.on('data', (chunk: string) => {
          all += chunk
          if (all.length > 2 ** 20) reply.destroy(new Error('the answer is too long'))
        })
        reply.on('error', reject)
        reply.on('end', () =>
          reply.statusCode === 200
            ? resolve(all)
            : reject(new Error(`HTTP ${reply.statusCode}: ${all.slice(0, 300)}`)),
        )
      },
    )
    sent.on('error', reject)
    sent.end(body)
  }).finally(() => stream.destroy())
  return JSON.parse(text)
}
