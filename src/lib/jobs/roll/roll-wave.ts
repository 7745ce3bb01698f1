import {messageOf, OllamaxError} from '../../errors.ts'
import {apply} from '../../provision/apply.ts'
import {layoutFor} from '../../provision/layout.ts'
import {PRUNE} from '../../provision/scripts.ts'
import {eachOf} from '../each-of.ts'
import {interruptedAfter} from '../interrupted.ts'
import {letGoOf} from './hold-node.ts'
import {returnOne, rollOne, undrain} from './roll-one.ts'
import type {RollRun, RollShared, RollTarget} from './roll-run.ts'
import {describeOutcome, errorOf, type RolledNode, rowOf} from './rolled-node.ts'

/** How many versions stay on a host besides the one that is switched on and the one before it. */
const KEEP_TREES = 1
const AT_ONCE = 16
/** What has to be put right after an interrupt may take so long. */
const AFTERWARDS_MS = 10_000

/** A wave among the others. */
export interface Wave {
  readonly number: number
  readonly recordVersion: boolean
  readonly done: readonly string[]
  readonly all: readonly string[]
}

interface Ran {
  readonly run: RollRun
  readonly error?: unknown
}

/** Changes the nodes of a wave at the same time; if one is bad, all of them go back. A row per node. INTERRUPTED. */
export async function rollWave(
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
  const bad = ran.some(({error}) => error !== undefined)
  const good = ran.filter(({error}) => error === undefined).map(({run}) => run.target.node.name)
  if (tools.signal.aborted) {
    await releaseAll(shared, ran)
    throw await interruptedIn(shared, wave, good)
  }
  const rows = await closed(shared, ran, {bad, wave}).catch(async (error: unknown) => {
    throw tools.signal.aborted ? await interruptedIn(shared, wave, bad ? [] : good) : error
  })
  for (const row of rows)
    report({kind: 'end', subject: row.name, ok: !row.error, text: describeOutcome(row)})
  return rows
}

/** INTERRUPTED that also says which nodes take no requests still, and how they do again. */
async function interruptedIn(
  {tools, journal}: RollShared,
  wave: Wave,
  good: readonly string[],
): Promise<OllamaxError> {
  const error = interruptedAfter(tools.signal, [...wave.done, ...good], wave.all)
  const {nodes} = await tools.cluster()
  const left = nodes.flatMap(({name, drained}) =>
    drained && journal.get(name)?.drainedByUs ? [name] : [],
  )
  if (left.length === 0) return error
  const who = left.join(', ')
  return new OllamaxError('INTERRUPTED', `${error.message}; in the middle of a change: ${who}`, {
    suggestions: [
      `${who} takes no requests until then. ${error.suggestions.join(' ')}`,
      'or make it what the cluster file says: ollamax apply',
    ],
    cause: error.cause,
    details: {...error.details, leftDrained: left},
  })
}

/** The end of a wave, whichever it is; then the machines are free for others. */
async function closed(
  shared: RollShared,
  ran: readonly Ran[],
  {bad, wave}: {readonly bad: boolean; readonly wave: Wave},
): Promise<RolledNode[]> {
  try {
    return await eachOf(ran, AT_ONCE, (it) =>
      bad ? rolledBack(shared, it, wave.number) : settle(shared, it.run, wave),
    )
  } finally {
    await releaseAll(shared, ran)
  }
}

async function releaseAll({report}: RollShared, ran: readonly Ran[]): Promise<void> {
  await eachOf(ran, AT_ONCE, async ({run}) => {
    const {release, target} = run
    delete run.release
    await letGoOf(release, (text) => report({kind: 'warn', subject: target.node.name, text}))
  })
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
  if (version === undefined) return rowOf(run, wave.number, 'unchanged')
  if (wave.recordVersion && run.target.recorded !== version)
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
  await shared.hook('after-upgrade', run.target.node, version)
  return rowOf(run, wave.number, 'changed')
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
  if (!run.disturbed) return rowOf(run, wave, why ? 'failed' : 'unchanged', more)
  try {
    await returnOne(shared, run)
    return rowOf(run, wave, 'rolled-back', more)
  } catch (failure) {
    tools.signal.throwIfAborted()
    const text = `${why ? `${why.message}; ` : ''}it could not be rolled back: ${messageOf(failure)}`
    const name = run.target.node.name
    return rowOf(run, wave, 'failed', {
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
