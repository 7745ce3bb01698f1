import {setTimeout as wait} from 'node:timers/promises'
import {isLoopback} from '../cluster/loopback.ts'
import {OllamaxError} from '../errors.ts'
import type {Remote} from '../ssh/remote.ts'
import type {Facts} from './facts.ts'
import {AT_BOOT_LAUNCHD, KILL_LAUNCHD, plistPath, WHY_DOWN_LAUNCHD} from './launchd.ts'
import {type Layout, layoutFor, RESTART_MS} from './layout.ts'
import type {Plan} from './plan-value.ts'
import {asRoot, type Root} from './privilege.ts'
import {awaitVersion} from './probe.ts'
import {readEnvironment} from './read-facts.ts'
import {IN_FORCE, KILL, WHY_DOWN} from './scripts.ts'

export interface Service {
  readonly plan: Plan
  readonly facts: Facts
  readonly root?: Root | undefined
  /** Name of the node in errors. */
  readonly subject: string
  readonly signal: AbortSignal
}

const BACK_MS = 20_000

/** True if a service manager keeps it, which has something to say about it. */
export const isService = ({keeper}: Plan) => keeper === 'systemd' || keeper === 'launchd'

/** What the service manager knows of a service that does not answer; empty if it says nothing. */
export async function whyDown(remote: Remote, service: Service): Promise<string> {
  if (!isService(service.plan)) return ''
  const script = service.plan.keeper === 'launchd' ? WHY_DOWN_LAUNCHD : WHY_DOWN
  const {root, scope} = layoutOf(service)
  const said = await run(remote, service, {script, args: [scope, root], reads: true}).catch(
    () => undefined,
  )
  return said?.stdout.trim() ? `The service says:\n${said.stdout.trim()}` : ''
}

/** What systemd has in force of a service. */
interface InForce {
  readonly enabled: boolean
  /** OLLAMA_HOST, or empty. */
  readonly host: string
  readonly dropIns: string
  /** 0: none. */
  readonly pid: number
}

/**
 * Kills the server as the kernel would, and waits until another process answers in its place: the version
 * that this one says, and what systemd then has in force. VERIFY_FAILED if none does within `backMs`.
 */
export async function survive(
  remote: Remote,
  service: Service,
  backMs = BACK_MS,
): Promise<{readonly version: string; readonly seen?: InForce}> {
  const {plan, signal} = service
  const {port} = plan
  const {scope} = layoutOf(service)
  const byLaunchd = plan.keeper === 'launchd'
  const script = byLaunchd ? KILL_LAUNCHD : KILL
  const said = await run(remote, service, {
    script,
    args: [scope],
    title: 'kill the server, to see that it comes back',
  })
  if (said.code !== 0) throw notBack(service, said.stderr.trim())
  const killed = Number(/^killed=(\d+)\r?$/m.exec(said.stdout)?.[1] ?? 0)
  const deadline = performance.now() + backMs
  for (let pauseMs = byLaunchd ? 0 : RESTART_MS; ; pauseMs = 100) {
    await wait(pauseMs, undefined, {signal})
    const timeoutMs = deadline - performance.now()
    const version = await awaitVersion(remote, {port, timeoutMs, signal})
    if (version === undefined)
      throw notBack(service, `nothing answers. ${await whyDown(remote, service)}`.trim())
    // The script for launchd has waited for the new process itself.
    if (byLaunchd) return {version}
    const seen = await inForce(remote, service)
    if (seen.pid !== 0 && seen.pid !== killed) return {version, seen}
    if (timeoutMs <= 0) throw notBack(service, 'it is still the process that was killed')
  }
}

function notBack({subject}: Service, why: string): OllamaxError {
  return new OllamaxError(
    'VERIFY_FAILED',
    `${subject}: the service was killed and did not come back: ${why}`,
    {suggestions: ['See why: ollamax doctor']},
  )
}

/** Whether it starts again after a reboot, and what of its settings is to be warned of; `seen`: just now. */
export async function atBoot(
  remote: Remote,
  service: Service,
  seen?: InForce,
): Promise<{survivesReboot: boolean | 'unknown'; notes: string[]}> {
  const {plan, facts, signal} = service
  if (plan.keeper === 'supervised') return {survivesReboot: facts.cron, notes: []}
  if (plan.keeper === 'launchd') {
    const layout = layoutOf(service)
    const args = [layout.scope, plistPath(layout, facts.home)]
    const said = await remote.exec(AT_BOOT_LAUNCHD, {reads: true, args, signal})
    return {survivesReboot: /^boot=1$/m.test(said.stdout), notes: []}
  }
  if (plan.keeper !== 'systemd') return {survivesReboot: 'unknown', notes: []}
  const {enabled, host, dropIns} = seen ?? (await inForce(remote, service))
  const address = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  const notes: string[] = []
  if (address !== '' && !isLoopback(address))
    notes.push(
      `Ollama listens on ${host}, which a file later than ours sets (${dropIns}): whoever reaches the machine can use it`,
    )
  return {survivesReboot: enabled, notes}
}

async function inForce(remote: Remote, service: Service): Promise<InForce> {
  const args = [layoutOf(service).scope]
  const said = await remote.exec(IN_FORCE, {reads: true, args, signal: service.signal})
  const line = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(said.stdout)?.[1] ?? ''
  return {
    enabled: line('UnitFileState') === 'enabled',
    host: readEnvironment(line('Environment')).OLLAMA_HOST ?? '',
    dropIns: line('DropInPaths'),
    pid: Number(line('MainPID')),
  }
}

function layoutOf({plan, facts}: Service): Layout {
  return layoutFor(plan.install === 'user' ? 'user' : 'system', facts.home)
}

interface Call {
  readonly script: string
  readonly args: readonly string[]
  readonly reads?: true
  readonly title?: string
}

function run(remote: Remote, {plan, root, signal}: Service, {script, ...about}: Call) {
  const call = {script, options: {...about, signal}}
  return plan.install === 'system' && root
    ? asRoot(remote, root, call)
    : remote.exec(call.script, call.options)
}
