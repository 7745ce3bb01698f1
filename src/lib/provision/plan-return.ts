import type {Facts, Installation} from './facts.ts'
import {plistPath, START_LAUNCHD} from './launchd.ts'
import {type Layout, layoutFor} from './layout.ts'
import type {Action, Plan} from './plan-value.ts'
import {START, SUPERVISE, SWITCH, WRITE} from './scripts.ts'

/** A file of ours that says how the service runs, as it is. */
interface ServiceFile {
  readonly kind: 'dropin' | 'supervisor' | 'plist'
  readonly text: string
}

/** What a host's installation is before it is changed: all that is needed to go back to it. */
export interface Before {
  readonly install: 'system' | 'user'
  /** The tree that is switched on; absent: someone else's program runs. */
  readonly tree?: string
  /** Of what answers; absent: nothing does. */
  readonly version?: string
  readonly file?: ServiceFile
}

const installationOf = (facts: Facts, {install}: Pick<Plan, 'install'>): Installation =>
  install === 'user' ? facts.own : facts.system

/** What there is to go back to on the host that `plan` changes. */
export function beforeOf(facts: Facts, plan: Plan): Before {
  const installation = installationOf(facts, plan)
  const {current, dropInText, supervisorText, plistText} = installation
  const {answers} = facts.ollama
  const text =
    plan.keeper === 'launchd'
      ? plistText
      : plan.keeper === 'supervised'
        ? supervisorText
        : dropInText
  const kind =
    plan.keeper === 'launchd' ? 'plist' : plan.keeper === 'supervised' ? 'supervisor' : 'dropin'
  return {
    install: plan.install === 'user' ? 'user' : 'system',
    ...(current === undefined ? {} : {tree: current}),
    ...(answers === undefined ? {} : {version: answers}),
    ...(text === undefined ? {} : {file: {kind, text}}),
  }
}

/** The way back: the tree and the settings as they were, and a restart. Safe to run again. */
export function planReturn(facts: Facts, before: Before): Action[] {
  const layout = layoutFor(before.install, facts.home)
  const root = layout.kind === 'system'
  const step = (title: string, script: string, args: readonly string[]): Action => ({
    title,
    root,
    script,
    args: [layout.root, ...args],
    timeoutMs: 60_000,
  })
  const {tree, file} = before
  return [
    ...(tree === undefined ? [] : [step(`switch back to ${tree}`, SWITCH, [tree, ''])]),
    ...(file ? [step('write the settings as they were', WRITE, written(layout, facts, file))] : []),
    step('start Ollama', ...starter(layout, facts, file)),
  ]
}

function written(layout: Layout, facts: Facts, {kind, text}: ServiceFile): string[] {
  if (kind === 'plist') return [kind, plistPath(layout, facts.home), text, '644']
  if (kind === 'supervisor') return [kind, `${layout.root}/supervise.sh`, text, '755']
  return [kind, `${layout.unitDir}/ollama.service.d/50-ollamax.conf`, text, '644']
}

function starter(layout: Layout, facts: Facts, file: ServiceFile | undefined): [string, string[]] {
  if (file?.kind === 'plist')
    return [START_LAUNCHD, [plistPath(layout, facts.home), layout.scope, facts.user]]
  if (file?.kind === 'supervisor') return [SUPERVISE, [facts.cron ? '1' : '0']]
  return [START, [layout.scope, '']]
}
