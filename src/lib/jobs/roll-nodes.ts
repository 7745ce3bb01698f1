import {setTimeout as pause} from 'node:timers/promises'
import type {Reporter} from '../cluster/report.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {apply} from '../provision/apply.ts'
import {inspectArtifact} from '../provision/artifact.ts'
import {layoutFor} from '../provision/layout.ts'
import {PRUNE} from '../provision/scripts.ts'
import {deployDirectory} from '../state/deploy-lock.ts'
import {eachOf} from './each-of.ts'
import {interruptedAfter} from './interrupted.ts'
import {openJournal} from './roll/journal.ts'
import {
  notOurs,
  type RollRun,
  type RollShared,
  type RollTarget,
  type RollTools,
  returnOne,
  rollOne,
  undrain,
} from './roll/roll-one.ts'
import type {RolledNode} from './roll/rolled-node.ts'
import {wavesOf} from './roll/waves.ts'
import {sudoPasswordOf} from './sudo-password.ts'

export type {RollTarget} from './roll/roll-one.ts'

export interface RollOptions {
  readonly targets: readonly RollTarget[]
  /** Name of the node that is changed first and alone; default: the first one. */
  readonly canary?: string | undefined
  /** The nodes after the canary are changed in so many waves. */
  readonly waves: number
  /** Path of an archive to carry over. */
  readonly artifact?: string | undefined
  readonly artifactSha256?: string | undefined
  /** Longest wait for the requests that run on a node. */
  readonly drainMs: number
  /** A node that is slower than this part of what it was before is bad; 0: none is. */
  readonly minPace: number
  /** Between two waves, so that gateways find the nodes of the one before up again. */
  readonly pauseMs: number
  readonly sudoPassword?: string | undefined
  /** Write the version that a node has then into the cluster file. */
  readonly recordVersion: boolean
  readonly report: Reporter
}

/** How many versions stay on a host besides the one that is switched on and the one before it. */
const KEEP_TREES = 1
const AT_ONCE = 16
/** What has to be put right after an interrupt may take so long. */
const AFTERWARDS_MS = 10_000

/**
 * Changes version and environment of nodes, one wave after the other, so that no request fails: see `rollOne`. A wave
 * with a bad node is rolled back as a whole, and none comes after it. To be called under the deploy lock. BAD_INPUT,
 * ARTIFACT_BAD before anything is touched; what becomes of a node is in its row. An interrupt leaves what the same
 * call completes.
 */
export async function rollNodes(tools: RollTools, options: RollOptions): Promise<RolledNode[]> {
  const {targets, report, artifact: path, artifactSha256: sha256} = options
  const {signal} = tools
  for (const {node} of targets) if (node.install === 'external') throw notOurs(node.name)
  const canary = targets.find(({node}) => node.name === options.canary)
  const shared: RollShared = {
    tools,
    journal: openJournal(deployDirectory(tools.paths, tools.clusterName())),
    artifact: path === undefined ? undefined : await inspectArtifact(path, {sha256, signal}),
    downloads: new Map(),
    sudoPassword: sudoPasswordOf(tools, options.sudoPassword),
    drainMs: options.drainMs,
    minPace: options.minPace,
    report,
  }
  const rows: RolledNode[] = []
  let settled = true
  let stopped = false
  for (const [at, wave] of wavesOf(targets, canary, options.waves).entries()) {
    if (stopped) {
      rows.push(...wave.map(({node}) => notBegun(node.name, at + 1)))
      continue
    }
    if (!settled) await pause(options.pauseMs, undefined, {signal})
    const done = rows.map((row) => row.name)
    const all = targets.map(({node}) => node.name)
    const of = await rollWave(shared, wave, {number: at + 1, options, done, all})
    rows.push(...of)
    stopped = of.some((row) => row.error !== undefined)
    settled = of.every((row) => row.outcome === 'unchanged')
  }
  return rows
}

interface Wave {
  readonly number: number
  readonly options: RollOptions
  readonly done: readonly string[]
  readonly all: readonly string[]
}

interface Ran {
  readonly run: RollRun
  readonly error?: unknown
}

async function rollWave(
  shared: RollShared,
  targets: readonly RollTarget[],
  wave: Wave,
): Promise<RolledNode[]> {
  const {tools, report} = shared
  const ran = await eachOf(targets, AT_ONCE, async (target): Promise<Ran> => {
    const run: RollRun = {target, drainedByUs: false, disturbed: false}
    try {
      await rollOne(shared, run)
      return {run}
    } catch (error) {
      if (!run.disturbed) await leaveAsItWas(shared, run)
      return {run, error}
    }
  })
  if (tools.signal.aborted) {
    const good = ran.filter(({error}) => error === undefined).map(({run}) => run.target.node.name)
    throw interruptedAfter(tools.signal, [...wave.done, ...good], wave.all)
  }
  const isBad = ran.some(({error}) => error !== undefined)
  const rows = await eachOf(ran, AT_ONCE, (it) =>
    isBad ? rolledBack(shared, it, wave.number) : settle(shared, it.run, wave),
  )
  for (const row of rows)
    report({kind: 'end', subject: row.name, ok: !row.error, text: describeOutcome(row)})
  return rows
}

/** Nothing was changed there: it takes requests again, also after an interrupt. */
async function leaveAsItWas(shared: RollShared, run: RollRun): Promise<void> {
  if (run.before === undefined) return
  const {name: subject} = run.target.node
  try {
    await undrain(shared, run, AbortSignal.timeout(AFTERWARDS_MS))
    await shared.journal.remove(subject)
  } catch (error) {
    const text = `it takes no requests still (ollamax node undrain ${subject}): ${messageOf(error)}`
    shared.report({kind: 'warn', subject, text})
  }
}

/** A node of a good wave: what it is now is written down, and what it needs no more is taken away. */
async function settle(shared: RollShared, run: RollRun, wave: Wave): Promise<RolledNode> {
  const {tools, journal, report} = shared
  const {name} = run.target.node
  const {version, before} = run
  if (version === undefined) return row(run, wave.number, 'unchanged')
  if (wave.options.recordVersion)
    await tools.editCluster((edit) => edit.set(['nodes', name, 'ollama', 'version'], version))
  await journal.remove(name)
  if (before)
    await prune(shared, run).catch((error: unknown) => {
      tools.signal.throwIfAborted()
      report({
        kind: 'warn',
        subject: name,
        text: `old versions are still there: ${messageOf(error)}`,
      })
    })
  return row(run, wave.number, 'changed')
}

async function prune({tools, report}: RollShared, run: RollRun): Promise<void> {
  const {remote, root, before, target} = run
  if (!remote || !before) return
  const {signal} = tools
  const home = before.install === 'user' ? await homeOf(run, signal) : ''
  const layout = layoutFor(before.install, home)
  const action = {
    title: 'remove old versions',
    root: layout.kind === 'system',
    script: PRUNE,
    args: [layout.root, `${KEEP_TREES}`],
    timeoutMs: 120_000,
  }
  await apply(remote, [action], {root, subject: target.node.name, report, signal})
}

async function homeOf({remote}: RollRun, signal: AbortSignal): Promise<string> {
  const said = await remote?.exec('printf %s "$HOME"', {reads: true, signal})
  return said?.stdout ?? ''
}

/** A node of a bad wave. */
async function rolledBack(
  shared: RollShared,
  {run, error}: Ran,
  wave: number,
): Promise<RolledNode> {
  const {tools} = shared
  const why = error === undefined ? undefined : errorOf(error)
  const more = why ? {error: why} : {}
  if (!run.disturbed) return row(run, wave, why ? 'failed' : 'unchanged', more)
  try {
    await returnOne(shared, run)
    return row(run, wave, 'rolled-back', more)
  } catch (failure) {
    tools.signal.throwIfAborted()
    const text = `${why ? `${why.message}; ` : ''}it could not be rolled back: ${messageOf(failure)}`
    const name = run.target.node.name
    return row(run, wave, 'failed', {
      leftDrained: true,
      error: {
        code: OllamaxError.is(failure) ? failure.code : 'BUG',
        message: text,
        suggestions: [
          `look at it: ollamax doctor ${name}`,
          `when it works again: ollamax node undrain ${name}`,
        ],
      },
    })
  }
}

function errorOf(error: unknown): NonNullable<RolledNode['error']> {
  const ours = OllamaxError.is(error) ? error : undefined
  return {
    code: ours?.code ?? 'BUG',
    message: messageOf(error),
    suggestions: ours?.suggestions ?? [],
  }
}

function row(
  run: RollRun,
  wave: number,
  outcome: RolledNode['outcome'],
  more: Partial<RolledNode> = {},
): RolledNode {
  const {target, before, version, pace, paceAfter, drainedMs} = run
  const from = before?.version
  return {
    name: target.node.name,
    wave,
    outcome,
    ...(from === undefined ? {} : {from}),
    ...(version === undefined ? {} : {to: version}),
    ...(pace
      ? {
          pace: {
            model: pace.model,
            ...(pace.tokensPerS === undefined ? {} : {before: pace.tokensPerS}),
            ...(paceAfter?.tokensPerS === undefined ? {} : {after: paceAfter.tokensPerS}),
          },
        }
      : {}),
    ...(drainedMs === undefined ? {} : {drainedMs}),
    leftDrained: false,
    ...more,
  }
}

const notBegun = (name: string, wave: number): RolledNode => ({
  name,
  wave,
  outcome: 'not-begun',
  leftDrained: false,
})

/** A few words for the end of its progress. */
export function describeOutcome({outcome, from, to, error}: RolledNode): string {
  if (outcome === 'changed')
    return from === to ? `changed, Ollama ${to}` : `Ollama ${from ?? 'unknown'} -> ${to}`
  if (outcome === 'rolled-back') return `rolled back to Ollama ${to}`
  return error ? (error.message.split('\n')[0] ?? '') : outcome.replace('-', ' ')
}
