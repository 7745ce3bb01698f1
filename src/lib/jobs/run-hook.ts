import {spawn} from 'node:child_process'
import {stat} from 'node:fs/promises'
import type {Cluster, Hook, HookName} from '../cluster/node.ts'
import type {Reporter} from '../cluster/report.ts'
import {withoutSecrets} from '../cluster/secret-env.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {clusterFile} from '../state/load.ts'
import type {Tools} from './tools.ts'

const DEFAULT_MS = 60_000
/** After SIGTERM; then it is killed. */
const KILL_MS = 3000
/** For the last lines to come, once it has ended. */
const OUTPUT_MS = 500
const LAST_LINES = 20
const MAX_CHARS = 64 * 1024

export interface HookMoment {
  readonly name: HookName
  readonly node: string
  /** As ssh is told; for a node by URL that. */
  readonly target?: string
  /** That the node is to have, or has then. */
  readonly version?: string | undefined
  readonly report: Reporter
}

type HookTools = Pick<Tools, 'env' | 'signal' | 'paths' | 'clusterName'>

/**
 * Runs the program that the cluster file names for a moment, if it names one; what it prints is told as notes.
 * HOOK_FAILED where a `before-` one fails; of an `after-` one that is a warning, since what it follows is done.
 */
export async function runHook(
  tools: HookTools,
  cluster: Pick<Cluster, 'hooks'>,
  moment: HookMoment,
): Promise<void> {
  const hook = cluster.hooks?.[moment.name]
  if (!hook) return
  const {name, node: subject, report} = moment
  const startMs = Date.now()
  const step = `hook ${name}`
  report({kind: 'start', subject, step})
  try {
    await mayRun(tools, hook)
    await run(tools, hook, moment)
    report({kind: 'done', subject, step, ms: Date.now() - startMs})
  } catch (error) {
    tools.signal.throwIfAborted()
    const failed = new OllamaxError(
      'HOOK_FAILED',
      `${subject}: the hook ${name} failed: ${messageOf(error)}`,
      {
        suggestions: OllamaxError.is(error)
          ? error.suggestions
          : [`try it by hand: ${hook.run.join(' ')}`],
        details: {hook: name, node: subject, run: hook.run},
      },
    )
    if (name.startsWith('before-')) throw failed
    report({kind: 'warn', subject, text: failed.message})
  }
}

/** Whoever can write to a file that names or is the program would have it run as us. */
async function mayRun(tools: HookTools, {run: [program = '']}: Hook): Promise<void> {
  for (const file of [clusterFile(tools.paths, tools.clusterName()), program]) {
    const found = await stat(file).catch(() => undefined)
    if (!found) throw new Error(`there is no ${file}`)
    const me = process.getuid?.()
    const strange = me !== undefined && found.uid !== 0 && found.uid !== me
    if (!strange && (found.mode & 0o022) === 0) continue
    const why = strange ? 'belongs to another account' : 'can be written to by others'
    throw new OllamaxError(
      'HOOK_FAILED',
      `${file} ${why}, who could so have their own program run`,
      {
        suggestions: [strange ? `chown it: ${file}` : `chmod go-w ${file}`],
      },
    )
  }
}

async function run(tools: HookTools, hook: Hook, moment: HookMoment): Promise<void> {
  const [program = '', ...args] = hook.run
  const {name, node, target, version, report} = moment
  const limitMs = hook.timeoutMs ?? DEFAULT_MS
  const env = {
    ...withoutSecrets(tools.env),
    OLLAMAX_HOOK: name,
    OLLAMAX_CLUSTER: tools.clusterName(),
    OLLAMAX_NODE: node,
    ...(target === undefined ? {} : {OLLAMAX_TARGET: target}),
    ...(version === undefined ? {} : {OLLAMAX_VERSION: version}),
  }
  // A group of its own, so that what it has started ends with it.
  const child = spawn(program, args, {env, stdio: ['ignore', 'pipe', 'pipe'], detached: true})
  const last: string[] = []
  const note = (text: string) => report({kind: 'note', subject: node, text: `${name}: ${text}`})
  eachLine(child.stdout, note)
  eachLine(child.stderr, (text) => {
    note(text)
    last.push(text)
    if (last.length > LAST_LINES) last.shift()
  })
  const group = (signal: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal)
    } catch {
      // It has ended.
    }
  }
  let late = false
  let kill: NodeJS.Timeout | undefined
  const stop = () => {
    group('SIGTERM')
    kill = setTimeout(() => group('SIGKILL'), KILL_MS)
  }
  const timer = setTimeout(() => {
    late = true
    stop()
  }, limitMs)
  tools.signal.addEventListener('abort', stop, {once: true})
  try {
    const how = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => resolve(code ?? signal))
      // What it left in the background may hold its output open.
      child.once('exit', (code, signal) => setTimeout(() => resolve(code ?? signal), OUTPUT_MS))
    })
    tools.signal.throwIfAborted()
    if (late) throw new Error(`it was not done within ${limitMs / 1000} s`)
    if (how !== 0) throw new Error([`it ended with ${how}`, ...last].join('\n'))
  } finally {
    clearTimeout(timer)
    clearTimeout(kill)
    tools.signal.removeEventListener('abort', stop)
    group('SIGKILL')
  }
}

/** Whole lines as they come; one that is endless is cut. */
function eachLine(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = (lines.pop() ?? '').slice(0, MAX_CHARS)
    for (const line of lines) if (line.trim() !== '') take(line)
  })
  stream.on('end', () => rest.trim() !== '' && take(rest))
  stream.on('error', () => {})
}
