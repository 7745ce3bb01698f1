import type {Facts, Installation, Tree} from './facts.ts'
import {plistPath, plistText, START_LAUNCHD} from './launchd.ts'
import {
  dropInText,
  type Layout,
  layoutFor,
  MARK,
  stagingDir,
  supervisorText,
  unitText,
} from './layout.ts'
import type {Action, Plan, Problem, Source, WantedNode} from './plan-value.ts'
import {problemsOf, warningsOf} from './problems.ts'
import {ADD_USER, FETCH, LINGER, STAGE, START, SUPERVISE, SWITCH, UNPACK, WRITE} from './scripts.ts'

/** What has to happen on the host that `facts` describes. Pure: the same facts give the same plan. */
export function planNode(facts: Facts, wanted: WantedNode): Plan {
  const port = wanted.port ?? facts.port
  const base = {port, fresh: false, keeper: 'other' as const}
  if (!wanted.install) {
    const answers = facts.ollama.answers !== undefined
    const problems = answers
      ? []
      : [
          {
            text: `no Ollama answers on port ${port} there`,
            next: 'Leave out --no-install, or name its port by --port',
          },
        ]
    return {...base, install: 'external', actions: [], problems, warnings: warningsOf(facts, port)}
  }
  const kind = chooseKind(facts, wanted)
  const installation = kind === 'system' ? facts.system : facts.own
  if (kind === 'external' || runsElsewhere(facts, installation)) {
    return {
      ...base,
      install: 'external',
      actions: [],
      problems: leaveAlone(facts, wanted, port),
      warnings: [...warningsOf(facts, port), ...whyExternal(facts)],
    }
  }
  const layout = layoutFor(kind, facts.home)
  // Without lingering, the account's systemd ends with its last session, and every service with it.
  const byManager = facts.userManager && facts.mayLinger
  const onLinux = kind === 'system' || byManager ? 'systemd' : 'supervised'
  const keeper = facts.init.kind === 'launchd' ? 'launchd' : onLinux
  const program = chooseProgram(installation, wanted, facts)
  const actions = install({facts, wanted, layout, installation, program, port, keeper})
  return {
    install: kind,
    keeper,
    port,
    fresh: !isThere(installation) && facts.ollama.answers === undefined,
    ...(program.kind === 'missing'
      ? {missing: wanted.version ? {version: wanted.version} : {}}
      : {}),
    ...('tree' in program && program.tree !== undefined ? {tree: program.tree} : {}),
    ...takeover(facts, installation, actions),
    actions,
    problems: actions.length
      ? problemsOf({facts, wanted, layout, port, keeper, brings: program.kind === 'bring'})
      : [],
    warnings: warningsOf(facts, port, {kind, keeper, sized: program.kind === 'bring'}),
  }
}

/** Requests that run there are cut, and who reached it over the network reaches it no more: that is asked about. */
function takeover(
  facts: Facts,
  installation: Installation,
  actions: readonly Action[],
): {takesOver?: string} {
  const {answers} = facts.ollama
  const foreign = installation.unit !== undefined && !isOurs(installation)
  if (!foreign || answers === undefined || actions.length === 0) return {}
  if (installation.dropInText !== undefined) return {}
  return {takesOver: `Ollama ${answers}, which someone else installed there`}
}

/** True if what the account may do there includes becoming root, as far as that is known. */
const mayBeRoot = (facts: Facts) => facts.sudo !== 'denied' && facts.sudo !== 'absent'

function chooseKind(facts: Facts, wanted: WantedNode): 'system' | 'user' | 'external' {
  if (wanted.userMode) return 'user'
  const ownThere = facts.own.trees.length > 0 && facts.system.unit === undefined
  if (ownThere && facts.own.current !== undefined) return 'user'
  if (mayBeRoot(facts)) return 'system'
  // Without root, a service of the machine can only be taken as it is.
  return facts.system.unit && facts.ollama.answers !== undefined ? 'external' : 'user'
}

const isThere = ({unit, plistText}: Installation) => unit !== undefined || plistText !== undefined

/** Something answers, and it is not the service that we would change: a container, a hand-started one. */
function runsElsewhere(facts: Facts, installation: Installation): boolean {
  return (
    facts.ollama.answers !== undefined &&
    !installation.unit?.active &&
    installation.supervisorText === undefined &&
    installation.plistText === undefined
  )
}

function whyExternal(facts: Facts): string[] {
  const where = facts.ollama.containers.length
    ? `in the container ${facts.ollama.containers.join(', ')}`
    : facts.system.unit?.active
      ? 'as a service of the machine, which this account may not change'
      : facts.os === 'darwin'
        ? 'as an app or a service that ollamax did not set up'
        : 'outside systemd'
  return [`Ollama ${facts.ollama.answers} runs there ${where}: it is used as it is`]
}

function leaveAlone(facts: Facts, wanted: WantedNode, port: number): Problem[] {
  const problems: Problem[] = []
  const next = 'Stop it there first, or give another port by --port'
  if (wanted.version && wanted.version !== facts.ollama.answers)
    problems.push({
      text: `Ollama ${facts.ollama.answers} answers on port ${port} and is not ours to replace by ${wanted.version}`,
      next,
    })
  if (Object.keys(wanted.env).length > 0)
    problems.push({
      text: `the Ollama on port ${port} is not ours, so --env cannot be applied to it`,
      next,
    })
  return problems
}

type Program =
  | {readonly kind: 'keep'; readonly tree?: string}
  | {
      readonly kind: 'bring'
      readonly tree: string
      readonly there: boolean
      readonly source: Source
    }
  | {readonly kind: 'missing'}

function chooseProgram(installation: Installation, wanted: WantedNode, facts: Facts): Program {
  const {current, trees, unit} = installation
  const switchedOn = trees.some((tree) => tree.name === current) ? current : undefined
  const {source, version} = wanted
  if (wanted.tree !== undefined)
    return trees.some(({name}) => name === wanted.tree)
      ? {kind: 'keep', tree: wanted.tree}
      : {kind: 'missing'}
  if (source) {
    const origin = source.kind === 'carry' ? source.artifact.sha256 : source.sha256
    const there = trees.find((tree) => tree.sha256 === origin)
    if (there) return {kind: 'bring', tree: there.name, there: true, source}
    return {kind: 'bring', tree: newName(trees, source, version), there: false, source}
  }
  if (version !== undefined) {
    // A tree may be called by the version that was asked for and hold another: what runs from it tells.
    const running = runsCurrent(installation, facts) ? facts.ollama.answers : undefined
    const fits = (tree: Tree) =>
      tree.name === current && running !== undefined
        ? running === version
        : [tree.version, tree.name.split('+')[0]].includes(version)
    const there = trees.find((it) => it.name === current && fits(it)) ?? trees.find(fits)
    if (there) return {kind: 'keep', tree: there.name}
    const foreign = switchedOn === undefined && unit !== undefined
    if (foreign && [facts.ollama.answers, facts.ollama.version].includes(version))
      return {kind: 'keep'}
    return {kind: 'missing'}
  }
  if (switchedOn !== undefined) return {kind: 'keep', tree: switchedOn}
  return unit && !isOurs(installation) ? {kind: 'keep'} : {kind: 'missing'}
}

function newName(
  trees: Installation['trees'],
  source: Source,
  version: string | undefined,
): string {
  const sha256 = source.kind === 'carry' ? source.artifact.sha256 : source.sha256
  const known = version ?? (source.kind === 'carry' ? source.artifact.version : source.version)
  if (known === undefined) return `sha256-${sha256.slice(0, 12)}`
  return trees.some((tree) => tree.name === known) ? `${known}+${sha256.slice(0, 8)}` : known
}

/** True if the unit file is one that we wrote. */
export function isOurs(installation: Installation): boolean {
  return installation.unitText?.startsWith(MARK) ?? false
}

interface Install {
  readonly facts: Facts
  readonly wanted: WantedNode
  readonly layout: Layout
  readonly installation: Installation
  readonly program: Program
  readonly port: number
  readonly keeper: 'systemd' | 'launchd' | 'supervised'
}

function install(it: Install): Action[] {
  const {facts, layout, installation, program, port, keeper, wanted} = it
  const root = layout.kind === 'system'
  const tree = program.kind === 'missing' ? undefined : program.tree
  const actions: Action[] = program.kind === 'bring' && !program.there ? bring(it, program) : []
  const step = (title: string, script: string, args: string[], timeoutMs = 60_000) =>
    actions.push({title, root, script, args: [layout.root, ...args], timeoutMs})

  const ownUser = root && keeper === 'systemd'
  if (ownUser && !facts.ollamaUser && !installation.unit)
    step('create the user ollama', ADD_USER, [])
  if (tree !== undefined && installation.current !== tree) {
    const link = root && facts.places['/usr/local/bin']?.readOnly !== true
    step(`switch to ${tree}`, SWITCH, [tree, link ? '/usr/local/bin/ollama' : ''])
  }
  if (keeper === 'launchd') {
    const {user, home} = facts
    const text = plistText(layout, {port, env: wanted.env, user, home})
    const path = plistPath(layout, facts.home)
    if (installation.plistText !== text)
      step('write the service', WRITE, ['plist', path, text, '644'])
    if (actions.length > 0 || installation.pending || facts.ollama.answers === undefined)
      step('start Ollama', START_LAUNCHD, [path, layout.scope, facts.user])
    return actions
  }
  if (keeper === 'supervised') {
    const text = supervisorText(layout, {port, env: wanted.env})
    const path = `${layout.root}/supervise.sh`
    const differs = installation.supervisorText !== text
    if (differs) step('write the supervisor', WRITE, ['supervisor', path, text, '755'])
    if (actions.length > 0 || installation.pending || facts.ollama.answers === undefined)
      step('start Ollama', SUPERVISE, [facts.cron ? '1' : '0'])
    return actions
  }
  const foreign = installation.unit !== undefined && !isOurs(installation)
  const unit = unitText(layout)
  if (!foreign && installation.unitText !== unit)
    step('write the service', WRITE, ['unit', `${layout.unitDir}/ollama.service`, unit, '644'])
  const dropIn = dropInText(layout, {port, env: wanted.env, program: foreign && tree !== undefined})
  if (installation.dropInText !== dropIn)
    step('write the drop-in', WRITE, [
      'dropin',
      `${layout.unitDir}/ollama.service.d/50-ollamax.conf`,
      dropIn,
      '644',
    ])
  if (!root && facts.linger !== true)
    step('let the account keep services without a login', LINGER, [])
  if (actions.length > 0 || !runs(installation, facts))
    step('start Ollama', START, [layout.scope, installation.unit ? '' : '1'])
  return actions
}

function runs(installation: Installation, facts: Facts): boolean {
  const {unit, pending} = installation
  return (
    !!unit?.active && unit.enabled && !unit.stale && !pending && facts.ollama.answers !== undefined
  )
}

/** True if what answers was started from the tree that is switched on. */
function runsCurrent(installation: Installation, facts: Facts): boolean {
  const own = installation.supervisorText ?? installation.plistText
  return runs(installation, facts) || (own !== undefined && !installation.pending)
}

function bring(it: Install, program: Extract<Program, {kind: 'bring'}>): Action[] {
  const {facts, layout} = it
  const {source, tree} = program
  const root = layout.kind === 'system'
  const staging = stagingDir(facts.home)
  const sha256 = source.kind === 'carry' ? source.artifact.sha256 : source.sha256
  const format = source.kind === 'carry' ? source.artifact.format : source.format
  const asGzip = source.kind === 'carry' && format === 'zst' && !facts.tools.includes('zstd')
  const suffix = asGzip ? 'gz' : format
  const path = `${staging}/${stagedName(sha256)}${asGzip ? '-gz' : ''}`
  const get: Action =
    source.kind === 'carry'
      ? {
          title: 'carry the archive over',
          root: false,
          script: STAGE,
          args: [staging],
          upload: {path, asGzip},
          aside: true,
          timeoutMs: 60_000,
        }
      : {
          title: `download Ollama ${source.version}`,
          root: false,
          script: FETCH,
          args: [source.url, path],
          aside: true,
          timeoutMs: 3_600_000,
        }
  const plain = source.kind === 'carry' ? source.artifact.tarSha256 : ''
  const unpack: Action = {
    title: `unpack ${tree}`,
    root,
    script: UNPACK,
    args: [layout.root, path, asGzip ? '' : sha256, tree, suffix, plain, sha256],
    aside: true,
    timeoutMs: 1_200_000,
  }
  const staged = facts.staged !== undefined && !asGzip
  return staged ? [unpack] : [get, unpack]
}

/** Name of an archive in the staging directory; there only when it is whole. */
export const stagedName = (sha256: string) => `ollama-${sha256}`
