import {messageOf, OllamaxError} from '../../errors.ts'
import {apply} from '../../provision/apply.ts'
import {beforeOf, planReturn} from '../../provision/plan-return.ts'
import {awaitVersion, probe} from '../../provision/probe.ts'
import {measurePace, type Pace, smallestModel} from '../../provision/smoke.ts'
import {verify} from '../../provision/verify.ts'
import {type HostLook, lookAtHost} from '../provision-host.ts'
import {rootOn} from '../root-on.ts'
import {drainNode, markDrained} from './drain-node.ts'
import {holdNode} from './hold-node.ts'
import type {RollRun, RollShared} from './roll-run.ts'

/**
 * Makes one node what it is to be, without failing a request: what can be brought is brought while it works, then
 * it is drained, changed, tried, and takes requests again. Throws at what is bad; `run` then says what there is to
 * undo. VERIFY_FAILED also for one that is slower than before.
 */
export async function rollOne(shared: RollShared, run: RollRun): Promise<void> {
  const {tools, journal, report} = shared
  const {node} = run.target
  const {signal} = tools
  const {name: subject} = node
  const entry = journal.get(subject)
  const look = await lookAt(shared, run)
  const {remote, facts, plan} = look
  if (plan.actions.length === 0 && !entry) return
  run.remote = remote
  run.port = plan.port
  if (plan.actions.some((action) => action.root) || entry?.before.install === 'system')
    run.root = await rootOn(remote, facts, {name: subject, sudoPassword: shared.sudoPassword})
  const {root} = run
  const install = plan.install === 'user' ? 'user' : 'system'
  const place = {install, home: facts.home, root, signal} as const
  run.release = await holdNode(remote, {...place, name: subject, why: shared.why})
  await shared.hook('before-upgrade', node, run.target.version)
  const options = {root, artifact: look.artifact, subject, report, signal}
  await apply(
    remote,
    plan.actions.filter((action) => action.aside),
    options,
  )
  run.before = entry?.before ?? beforeOf(facts, plan)
  run.drainedByUs = entry?.drainedByUs ?? !node.drained
  run.disturbed = entry?.disturbed ?? false
  run.drainedAtMs = Date.now()
  if (!node.drained) await shared.hook('before-drain', node)
  // Before it is drained: whoever finds it drained after a crash has to know that it was we.
  const {drainedByUs, before, disturbed} = run
  const earlier = entry?.pace ? {pace: entry.pace} : {}
  await journal.put(subject, {drainedByUs, before, disturbed, ...earlier})
  await drainNode(tools, remote, {name: subject, port: plan.port, limitMs: shared.drainMs, report})
  if (!node.drained) await shared.hook('after-drain', node)
  const pace = disturbed ? entry?.pace : await paceBefore(shared, run)
  if (pace) run.pace = pace
  run.disturbed = true
  await journal.put(subject, {drainedByUs, before, disturbed: true, ...(pace ? {pace} : {})})
  await apply(
    remote,
    plan.actions.filter((action) => !action.aside),
    options,
  )
  const {version} = run.target
  const verified = await verify(remote, {plan, facts, version, root, subject, report, signal})
  run.version = verified.version
  for (const text of verified.warnings) report({kind: 'warn', subject, text})
  await judge(shared, run)
  await undrain(shared, run)
}

/** What is there and what is to be done; for a way back, the tree's name comes from the host itself. */
async function lookAt(shared: RollShared, {target}: RollRun): Promise<HostLook> {
  const {tools, artifact, downloads, report} = shared
  const {node, version, tree, env} = target
  const options = {
    name: node.name,
    target: node.ssh,
    known: node,
    artifact,
    dryRun: false,
    downloads,
    report,
  }
  const wanted = {
    install: true,
    userMode: node.install === 'user',
    version,
    port: node.ollama.port,
    env,
  }
  const look =
    tree === undefined
      ? await lookAtHost(tools, {...options, wanted})
      : await lookBack(shared, {...options, wanted})
  if (look.plan.install === 'external') throw notOurs(node.name)
  return look
}

async function lookBack(
  {tools}: RollShared,
  options: Parameters<typeof lookAtHost>[1],
): Promise<HostLook> {
  const {name, known} = options
  const remote = await tools.dial(known ?? unknownNode())
  const facts = await probe(remote, {port: options.wanted.port, signal: tools.signal})
  const {previous, trees} = options.wanted.userMode ? facts.own : facts.system
  if (previous === undefined || !trees.some((tree) => tree.name === previous))
    throw new OllamaxError('ACTION_FAILED', `${name} has no version before the one that runs`, {
      suggestions: [`Name one: ollamax node upgrade ${name} --version 0.33.0`],
    })
  return lookAtHost(tools, {...options, wanted: {...options.wanted, tree: previous}})
}

function unknownNode(): never {
  throw new Error('a roll over a node that is not in the cluster')
}

/** BAD_INPUT: someone else's Ollama is theirs to change. */
export function notOurs(name: string): OllamaxError {
  return new OllamaxError(
    'BAD_INPUT',
    `the Ollama of ${name} is not ours to change: it was there before and is used as it is`,
    {
      suggestions: [
        'change it there by the way that it was installed',
        `or let ollamax take it over: ollamax node add ${name} --ollama-version 0.33.0`,
      ],
    },
  )
}

/** Undefined where there is no model, or where it does not answer: then there is nothing to compare with. */
async function paceBefore({tools, report}: RollShared, run: RollRun): Promise<Pace | undefined> {
  const {remote, port, target} = run
  if (!remote || port === undefined) return undefined
  const {signal} = tools
  const subject = target.node.name
  report({kind: 'start', subject, step: 'measure how fast it is'})
  const startMs = Date.now()
  try {
    const model = await smallestModel(remote, {port, signal})
    if (model === undefined) return undefined
    return await measurePace(remote, {port, model, signal})
  } catch (error) {
    signal.throwIfAborted()
    const text = `how fast it was could not be measured: ${messageOf(error)}`
    report({kind: 'warn', subject, text})
    return undefined
  } finally {
    report({kind: 'done', subject, step: 'measure how fast it is', ms: Date.now() - startMs})
  }
}

/** The same model again: it must answer, and not much slower than before. */
async function judge({tools, minPace, report}: RollShared, run: RollRun): Promise<void> {
  const {pace, remote, port, target} = run
  if (!pace || !remote || port === undefined) return
  const {signal} = tools
  const {name} = target.node
  report({kind: 'start', subject: name, step: 'try it'})
  const startMs = Date.now()
  const after = await measurePace(remote, {port, model: pace.model, signal}).catch((error) => {
    signal.throwIfAborted()
    throw bad(name, `${pace.model} answered before and does not now: ${messageOf(error)}`, error)
  })
  run.paceAfter = after
  report({kind: 'done', subject: name, step: 'try it', ms: Date.now() - startMs})
  const [was, is] = [pace.tokensPerS, after.tokensPerS]
  if (was === undefined || is === undefined || is >= was * minPace) return
  const share = Math.round((is / was) * 100)
  throw bad(
    name,
    `${pace.model} answers with ${is.toFixed(1)} tokens/s, ${share} % of the ${was.toFixed(1)} before; at least ${Math.round(minPace * 100)} % were wanted`,
  )
}

const bad = (name: string, why: string, cause?: unknown) =>
  new OllamaxError('VERIFY_FAILED', `${name}: ${why}`, {
    suggestions: [`look into it: ollamax doctor ${name}`, 'allow it to be slower: --min-pace 0.5'],
    ...(cause === undefined ? {} : {cause}),
  })

/** Lets requests go there again, if it was we who stopped them. */
export async function undrain({tools}: RollShared, run: RollRun, signal?: AbortSignal) {
  if (run.drainedAtMs !== undefined) run.drainedMs = Date.now() - run.drainedAtMs
  if (run.drainedByUs) await markDrained(tools, run.target.node.name, false, signal)
}

/**
 * Makes a node what it was before: drained, if it takes requests by now, switched back, and tried. Throws where
 * that does not work; it then takes no requests.
 */
export async function returnOne(shared: RollShared, run: RollRun): Promise<void> {
  const {tools, journal, report, drainMs: limitMs} = shared
  const {before, remote, root, port} = run
  if (!before || !remote || port === undefined) return
  const {signal} = tools
  const subject = run.target.node.name
  run.drainedAtMs = Date.now()
  await drainNode(tools, remote, {name: subject, port, limitMs, report})
  const facts = await probe(remote, {port, signal})
  await apply(remote, planReturn(facts, before), {root, subject, report, signal})
  const version = await awaitVersion(remote, {port, timeoutMs: 30_000, signal})
  if (version === undefined || (before.version !== undefined && version !== before.version))
    throw bad(
      subject,
      `it was rolled back, and ${version ? `Ollama ${version}` : 'nothing'} answers`,
    )
  run.version = version
  await undrain(shared, run)
  await journal.remove(subject)
}
