import {existsSync} from 'node:fs'
import {chown, mkdir, rename, rm, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {OllamaxError} from '../../errors.ts'
import {confirmed} from '../../jobs/confirm.ts'
import type {Tools} from '../../jobs/tools.ts'
import {readText} from '../../state/load.ts'
import {cannot} from '../../state/write-file.ts'
import {nothingListens, waitHealthy} from './health.ts'
import {
  describeStep,
  planInstall,
  planUninstall,
  type ServiceFacts,
  type ServicePlan,
  type ServiceStep,
} from './plan.ts'
import {busEnv, runProgram} from './systemctl.ts'
import {UNIT_NAME, type UnitSpec, unitProblem, unitText} from './unit.ts'
import {clusterOfService, secretVariables, serviceEnv, type WantedService} from './wanted.ts'

/** The machine that the service is for. */
export interface ServiceHost {
  readonly uid: number
  /** How this program was started: the interpreter and the script, absolute paths. */
  readonly program: readonly string[]
  /** Where the units of the machine lie. */
  readonly systemDir: string
  /** Where an installed machine-wide service finds its secrets. */
  readonly etcDir: string
  readonly lingerDir: string
}

/** This machine, as the one who runs this process. */
function thisHost(): ServiceHost {
  return {
    uid: process.getuid?.() ?? -1,
    program: [process.execPath, process.argv[1] ?? ''],
    systemDir: '/etc/systemd/system',
    etcDir: '/etc/ollamax',
    lingerDir: '/var/lib/systemd/linger',
  }
}

export interface ServiceOptions extends WantedService {
  /** Default: this machine. */
  readonly host?: ServiceHost
  /** The words of `serve` and its flags, paths absolute. */
  readonly words: readonly string[]
  /** Runs as this account; only of the machine's service. */
  readonly user?: string | undefined
  readonly tls: boolean
  /** A directory that it is to keep things in, absolute. */
  readonly directory?: string | undefined
  readonly drainMs: number
  readonly dryRun: boolean
  readonly yes: boolean
  /** Told each step before it is taken. */
  readonly say: (line: string) => void
}

/** The service of the gateway, as it is or would be. */
export interface ServiceResult {
  readonly action: 'install' | 'uninstall'
  readonly scope: 'system' | 'user'
  readonly file: string
  /** The unit's text; null: of `uninstall`. */
  readonly unit: string | null
  /** What was done, or would be done with --dry-run; none: it was as it is wanted. */
  readonly steps: readonly string[]
  readonly applied: boolean
  /** Where it answers; null: of `uninstall`. */
  readonly url: string | null
  /** The command that shows its log. */
  readonly log: string
  /** What it will lack, or what the operator should know. */
  readonly warnings: readonly string[]
}

type ServiceTools = Pick<Tools, 'ask' | 'env' | 'signal'>

/**
 * Makes the gateway a service that runs from boot on and answers now. BAD_INPUT, CONFIG_INVALID and CLUSTER_NOT_FOUND as
 * `serve` itself, UNFIT without systemd, NOT_CONFIRMED, CONFIRM_NEEDED, ACTION_FAILED with the last lines of its log.
 */
export async function installService(
  tools: ServiceTools,
  options: ServiceOptions,
): Promise<ServiceResult> {
  const host = options.host ?? thisHost()
  const at = await placeOf(tools, host, options.user)
  const {scope, file, envFile} = at
  const env = serviceEnv(tools.env, scope)
  const cluster = await clusterOfService(options, {home: at.home, env})
  const spec: UnitSpec = {
    scope,
    cluster: cluster.name,
    command: [
      ...host.program,
      ...options.words,
      ...(options.config === undefined ? ['--cluster', cluster.name] : []),
    ],
    user: at.user,
    env,
    envFile,
    drainMs: options.drainMs,
    port: options.listen.port,
  }
  const problem = unitProblem(spec)
  if (problem !== undefined) throw new OllamaxError('BAD_INPUT', `no unit can say it: ${problem}`)
  const {directory} = options
  const lacks = directory !== undefined && !existsSync(directory) ? directory : undefined
  const facts = {...(await factsOf(tools, at, options)), lacks}
  const plan = planInstall(spec, file, facts)
  const warnings = [
    ...missingSecrets(secretVariables(cluster), envFile),
    ...(cluster.nodes.some(({kind}) => kind === 'ssh')
      ? ['a service has no SSH agent and nobody to ask: SSH nodes need keys without a passphrase']
      : []),
    ...(scope === 'user' && !existsSync(join(host.lingerDir, at.account.name))
      ? [`it ends when you log out, unless: sudo loginctl enable-linger ${at.account.name}`]
      : []),
  ]
  const url = `${options.tls ? 'https' : 'http'}://${reachable(options.listen)}`
  const result = {
    ...({action: 'install', scope, file, unit: unitText(spec), url, warnings} as const),
    log: logCommand(scope),
  }
  const question = `Install the gateway as a service (${file})?`
  const applied = await carryOut(tools, {plan, at, options, question, facts, url})
  return {...result, steps: plan.steps.map(describeStep), applied}
}

/** Takes the service away; its cluster, keys and secrets stay. Throws as `installService`. */
export async function uninstallService(
  tools: ServiceTools,
  options: ServiceOptions,
): Promise<ServiceResult> {
  const host = options.host ?? thisHost()
  const at = await placeOf(tools, host, host.uid === 0 ? 'root' : options.user)
  const {scope, file, envFile} = at
  const plan = planUninstall(scope, file, await factsOf(tools, at, options))
  const question = `Stop the gateway's service and remove ${file}?`
  const applied = await carryOut(tools, {plan, at, options, question})
  return {
    action: 'uninstall',
    scope,
    file,
    unit: null,
    steps: plan.steps.map(describeStep),
    applied,
    url: null,
    log: logCommand(scope),
    warnings: existsSync(envFile) ? [`${envFile} is left: it holds secrets of yours`] : [],
  }
}

interface Place {
  readonly scope: UnitSpec['scope']
  readonly file: string
  readonly envFile: string
  readonly home: string
  /** For the unit; undefined: the account's own systemd starts it. */
  readonly user: string | undefined
  readonly account: Account
  readonly env: Readonly<NodeJS.ProcessEnv>
}

interface Account {
  readonly name: string
  readonly home: string
  readonly uid: number
  readonly gid: number
}

async function placeOf(
  {env, signal}: ServiceTools,
  host: ServiceHost,
  user: string | undefined,
): Promise<Place> {
  if (host.uid !== 0) {
    if (user !== undefined)
      throw new OllamaxError('BAD_INPUT', 'only root can choose the account of a service', {
        suggestions: ['sudo ollamax serve --install --user NAME', 'leave --user away'],
      })
    const own = await accountOf(String(host.uid), {env, signal})
    const config = env.XDG_CONFIG_HOME || join(own.home, '.config')
    return {
      scope: 'user',
      file: join(config, 'systemd/user', UNIT_NAME),
      envFile: join(config, 'ollamax/serve.env'),
      home: own.home,
      user: undefined,
      account: own,
      env: busEnv(env, 'user', host.uid),
    }
  }
  const named = user ?? env.SUDO_USER
  if (!named)
    throw new OllamaxError('BAD_INPUT', 'as which account is the gateway to run?', {
      suggestions: ['--user NAME: the one whose clusters and SSH keys it is to use'],
    })
  const account = await accountOf(named, {env, signal})
  return {
    scope: 'system',
    file: join(host.systemDir, UNIT_NAME),
    envFile: join(host.etcDir, 'serve.env'),
    home: account.home,
    user: account.name,
    account,
    env,
  }
}

/** By name or number, wherever the machine keeps its accounts. */
async function accountOf(
  key: string,
  options: Pick<ServiceTools, 'env' | 'signal'>,
): Promise<Account> {
  const {code, stdout} = await runProgram('getent', ['passwd', '--', key], options)
  const [name, , uid, gid, , home] = stdout.split(':')
  if (code === 0 && name && home) return {name, home, uid: Number(uid), gid: Number(gid)}
  throw new OllamaxError('BAD_INPUT', `there is no account ${JSON.stringify(key)} here`)
}

/** Where no systemd answers nothing is enabled or active; `requireSystemd` says so when it matters. */
async function factsOf(
  {signal}: ServiceTools,
  {scope, file, env}: Place,
  {dryRun}: Pick<ServiceOptions, 'dryRun'>,
): Promise<ServiceFacts> {
  const text = readText(file)
  const ask = async (...args: string[]) =>
    (await runProgram('systemctl', scoped(scope, args), {env, signal})).stdout
  try {
    const state = await ask('is-system-running')
    if (!/^(running|degraded|starting|maintenance)$/.test(state))
      throw new OllamaxError('UNFIT', 'no systemd runs here that would take the service', {
        suggestions: [
          'see the unit, for whatever starts services here: ollamax serve --install --dry-run',
          ...(scope === 'user' ? ['log in as the account itself, not by su or sudo -u'] : []),
        ],
      })
    const enabled = (await ask('is-enabled', UNIT_NAME)) === 'enabled'
    return {text, enabled, active: (await ask('is-active', UNIT_NAME)) === 'active'}
  } catch (error) {
    if (dryRun && OllamaxError.is(error, 'UNFIT')) return {text, enabled: false, active: false}
    throw error
  }
}

interface Work {
  readonly plan: ServicePlan
  readonly at: Place
  readonly options: ServiceOptions
  readonly question: string
  /** Of an installation, which is to answer afterwards. */
  readonly facts?: ServiceFacts
  readonly url?: string
}

/** True if something was done. */
async function carryOut(tools: ServiceTools, work: Work): Promise<boolean> {
  const {plan, at, options, question, facts, url} = work
  if (plan.problem !== undefined)
    throw new OllamaxError('UNFIT', plan.problem, {
      suggestions: [`look at it, and remove it if it is no longer needed: ${at.file}`],
    })
  if (options.dryRun || plan.steps.length === 0) return false
  if (facts && !facts.active) await nothingListens(options.listen, tools.signal)
  await confirmed(tools, options.yes, question)
  for (const step of plan.steps) {
    options.say(describeStep(step))
    await take(tools, step, at)
  }
  if (url !== undefined) await waitHealthy(url, tools.signal, () => troubleOf(tools, at))
  return true
}

async function take(
  {signal}: ServiceTools,
  step: ServiceStep,
  {env, account}: Place,
): Promise<void> {
  if (step.kind === 'systemctl') {
    const {code, stderr} = await runProgram('systemctl', step.args, {env, signal})
    if (code === 0) return
    throw new OllamaxError('ACTION_FAILED', `"${describeStep(step)}" failed: ${stderr || code}`)
  }
  try {
    if (step.kind === 'remove') await rm(step.path, {force: true})
    else if (step.kind === 'directory') {
      await mkdir(dirname(step.path), {recursive: true})
      // Not `recursive`: one that somebody made meanwhile is not given away.
      await mkdir(step.path, {mode: 0o700})
      await chown(step.path, account.uid, account.gid)
    } else {
      await mkdir(dirname(step.path), {recursive: true})
      const temporary = `${step.path}.${process.pid}.new`
      await writeFile(temporary, step.text, {mode: 0o644})
      await rename(temporary, step.path)
    }
  } catch (error) {
    throw cannot(step.kind === 'remove' ? 'remove' : 'write', step.path, error)
  }
}

/** Undefined: it runs. Else the last lines that it wrote, or what systemd says of it. */
async function troubleOf({signal}: ServiceTools, {scope, env}: Place): Promise<string | undefined> {
  const active = await runProgram('systemctl', scoped(scope, ['is-active', UNIT_NAME]), {
    env,
    signal,
  })
  if (active.stdout === 'active') return undefined
  const words = ['-u', UNIT_NAME, '-n', '10', '--no-pager', '-o', 'cat']
  const log = await runProgram('journalctl', scoped(scope, words), {env, signal}).catch(() => ({
    stdout: '',
  }))
  return log.stdout || `systemd says that it is ${active.stdout || 'unknown'}`
}

/** `sudo` keeps root's own variables out of the service, so secrets have a file that only its owner reads. */
function missingSecrets(names: readonly string[], envFile: string): string[] {
  let text: string | undefined
  try {
    text = readText(envFile)
  } catch {
    // Not ours to read: then it is there, and somebody looks after it.
    return []
  }
  const lines = (text ?? '').split('\n').map((line) => line.trim())
  return names
    .filter((name) => !lines.some((line) => line.startsWith(`${name}=`)))
    .map(
      (name) =>
        `the cluster file takes ${name} from the environment: put it into ${envFile} (mode 600)`,
    )
}

const scoped = (scope: UnitSpec['scope'], args: readonly string[]) =>
  scope === 'user' ? ['--user', ...args] : [...args]

const logCommand = (scope: UnitSpec['scope']) =>
  `journalctl ${scope === 'user' ? '--user ' : ''}-u ${UNIT_NAME} -f`

/** An address that this machine itself can connect to. */
function reachable({host, port}: {readonly host: string; readonly port: number}): string {
  const own = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `${own.includes(':') ? `[${own}]` : own}:${port}`
}
