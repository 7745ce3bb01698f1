import {setTimeout as pause} from 'node:timers/promises'
import type {NodeSpec, SshNode} from '../cluster/node.ts'
import type {Reading} from '../cluster/reading.ts'
import type {Reporter} from '../cluster/report.ts'
import {oneNode} from '../cluster/select.ts'
import {OllamaxError} from '../errors.ts'
import {asRoot} from '../provision/privilege.ts'
import type {ExecResult} from '../ssh/remote.ts'
import {observe} from './observe.ts'
import {rootAfter} from './root-on.ts'
import {CONTROL} from './service-scripts.ts'
import {overSsh} from './ssh-node.ts'
import type {Tools} from './tools.ts'

export type ServiceAction = 'start' | 'stop' | 'restart'

export interface ControlOptions {
  readonly name: string
  readonly action: ServiceAction
  /** For Ollama to answer after a start. */
  readonly timeoutMs: number
  readonly report: Reporter
}

/** What was done, seen and not only ordered. */
export interface Controlled {
  readonly node: string
  readonly action: ServiceAction
  /** What keeps Ollama running there. */
  readonly keeper: 'system' | 'user' | 'supervised' | 'launchd' | 'embedded'
  readonly state: 'up' | 'stopped'
  /** Of Ollama, once it answers. */
  readonly version?: string
}

type ControlTools = Pick<
  Tools,
  'cluster' | 'dial' | 'endpoint' | 'signal' | 'paths' | 'clusterName' | 'ask' | 'env'
>

const SCRIPT_MS = 120_000

/**
 * Starts, stops or restarts Ollama on a node, and waits until it answers (or no longer does). Errors:
 * NODE_NOT_FOUND, BAD_INPUT (a node by URL), SUDO_DENIED, ACTION_FAILED, VERIFY_FAILED.
 */
export async function controlNode(
  tools: ControlTools,
  options: ControlOptions,
): Promise<Controlled> {
  const {nodes} = await tools.cluster()
  const node = oneNode(nodes, options.name)
  const {action, report} = options
  const step = `${action} Ollama`
  const startMs = performance.now()
  report({kind: 'start', subject: node.name, step})
  const keeper =
    node.kind === 'embedded'
      ? await controlEmbedded(tools, options)
      : await controlService(tools, overSsh(node, `${action} its service`), action)
  report({kind: 'done', subject: node.name, step, ms: performance.now() - startMs})
  const done = {node: node.name, action, keeper}
  if (action === 'stop') {
    await untilSilent(tools, node, options)
    report({kind: 'end', subject: node.name, ok: true, text: 'stopped'})
    return {...done, state: 'stopped'}
  }
  const reading = await untilUp(tools, node, options)
  const {version} = reading
  report({kind: 'end', subject: node.name, ok: true, text: 'answers'})
  return {...done, state: 'up', ...(version === undefined ? {} : {version})}
}

async function controlEmbedded(tools: ControlTools, {action, report}: ControlOptions) {
  if (action !== 'start') await (await import('./stop-engine.ts')).stopEngine(tools)
  if (action !== 'stop') await (await import('./start-engine.ts')).startEngine(tools, {report})
  return 'embedded' as const
}

async function controlService(
  tools: ControlTools,
  node: SshNode,
  action: ServiceAction,
): Promise<Controlled['keeper']> {
  const remote = await tools.dial(node)
  const options = {
    title: `${action} Ollama`,
    args: [action, node.install ?? ''],
    timeoutMs: SCRIPT_MS,
    signal: tools.signal,
  }
  let said = await remote.exec(CONTROL, options)
  if (said.code === 76 || said.code === 77) {
    const password = () => sudoPassword(tools, node)
    const root = await rootAfter(remote, said.code, {name: node.name, password})
    said = await asRoot(remote, root, {script: CONTROL, options})
  }
  const keeper = /^keeper=(\w+)$/m.exec(said.stdout)?.[1]
  if (said.code === 0 && isKeeper(keeper)) return keeper
  throw controlFailed(node, action, said)
}

const isKeeper = (text: string | undefined): text is Exclude<Controlled['keeper'], 'embedded'> =>
  text === 'system' || text === 'user' || text === 'supervised' || text === 'launchd'

/** From the environment, else asked for; it goes to sudo's standard input and nowhere else. */
export async function sudoPassword(
  {ask, env}: Pick<Tools, 'ask' | 'env'>,
  node: SshNode,
): Promise<string> {
  const given = env.OLLAMAX_SUDO_PASSWORD
  if (given) return given
  return ask.secret(`Password for sudo on ${node.name}:`, 'set OLLAMAX_SUDO_PASSWORD')
}

function controlFailed(node: SshNode, action: ServiceAction, said: ExecResult): OllamaxError {
  if (said.code === 78)
    return new OllamaxError(
      'ACTION_FAILED',
      `${node.name} has no service that keeps Ollama running`,
      {
        suggestions: [`let ollamax install one: ollamax node add ${node.ssh} --name ${node.name}`],
      },
    )
  const why = said.stderr.trim().split('\n').at(-1) || `exit code ${said.code}`
  return new OllamaxError('ACTION_FAILED', `cannot ${action} Ollama on ${node.name}: ${why}`, {
    suggestions: [`ollamax node logs ${node.name}`, `ollamax doctor ${node.name}`],
    details: {exit: said.code, stderr: said.stderr.slice(-2000)},
  })
}

/** Asks again and again until the node answers; VERIFY_FAILED at the deadline. */
async function untilUp(
  tools: ControlTools,
  node: NodeSpec,
  {timeoutMs, action, report}: ControlOptions,
): Promise<Extract<Reading, {kind: 'up'}>> {
  report({kind: 'start', subject: node.name, step: 'wait until it answers'})
  const deadline = performance.now() + timeoutMs
  for (let waitMs = 100; ; waitMs = Math.min(1000, waitMs * 2)) {
    const [reading] = await observe(tools, [node], {timeoutMs: 5000})
    if (reading?.kind === 'up') return reading
    if (performance.now() > deadline)
      throw new OllamaxError(
        'VERIFY_FAILED',
        `the ${action} of Ollama on ${node.name} was done, but it does not answer: ${reading?.message ?? 'unknown'}`,
        {suggestions: [`ollamax node logs ${node.name}`, `ollamax doctor ${node.name}`]},
      )
    await pause(waitMs, undefined, {signal: tools.signal})
  }
}

/** Something else may answer on that port still: then it is not stopped, whatever systemd says. */
async function untilSilent(
  tools: ControlTools,
  node: NodeSpec,
  {timeoutMs}: ControlOptions,
): Promise<void> {
  const deadline = performance.now() + Math.min(timeoutMs, 15_000)
  for (;;) {
    const [reading] = await observe(tools, [node], {timeoutMs: 5000})
    if (reading?.kind !== 'up') return
    if (performance.now() > deadline)
      throw new OllamaxError(
        'VERIFY_FAILED',
        `the service on ${node.name} was stopped, but an Ollama still answers there`,
        {suggestions: [`see who it is: ollamax doctor ${node.name}`]},
      )
    await pause(200, undefined, {signal: tools.signal})
  }
}
