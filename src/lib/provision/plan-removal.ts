import type {Facts, Installation} from './facts.ts'
import {plistPath, TAKE_LAUNCHD} from './launchd.ts'
import {type Layout, layoutFor, stagingDir} from './layout.ts'
import {isOurs} from './plan.ts'
import type {Action} from './plan-value.ts'
import {
  FORGET,
  RESTORE_SERVICE,
  STOP_LINGER,
  TAKE_PROGRAMS,
  TAKE_SERVICE,
  TAKE_STAGING,
  TAKE_SUPERVISOR,
  TAKE_USER,
} from './removal-scripts.ts'

/** What would be taken away from a host, and what stays there and why. */
export interface Removal {
  readonly install: 'system' | 'user'
  readonly actions: readonly Action[]
  readonly left: readonly string[]
  /** A service that was there before us goes on. */
  readonly restores: boolean
}

/**
 * How to make a host as it was before we came: everything that our manifest there names. Nothing that
 * someone else put there is touched. No actions: there is nothing of ours.
 */
export function planRemoval(facts: Facts, wish: {readonly keepModels: boolean}): Removal {
  const actions: Action[] = []
  const left: string[] = []
  const own = traces(facts.own)
  const system = traces(facts.system)
  if (own) removeOwn(facts, actions, left)
  if (system) removeSystem(facts, wish.keepModels, {actions, left})
  return {
    install: system ? 'system' : 'user',
    actions,
    left,
    restores: system && facts.system.unit !== undefined && !isOurs(facts.system),
  }
}

const traces = (it: Installation) =>
  Object.keys(it.manifest).length > 0 || it.trees.length > 0 || it.dropInText !== undefined

function removeSystem(
  facts: Facts,
  keepModels: boolean,
  {actions, left}: {actions: Action[]; left: string[]},
): void {
  const layout = layoutFor('system', facts.home)
  const {system} = facts
  const {manifest} = system
  const step = adder(actions, true)
  const ours = system.unit === undefined || isOurs(system)
  const byLaunchd = facts.init.kind === 'launchd'
  if (byLaunchd)
    step('stop and remove the service', TAKE_LAUNCHD, [plistPath(layout, facts.home), layout.scope])
  else removeService(layout, system, {step, ours})
  step('remove the programs', TAKE_PROGRAMS, [layout.root, manifest.link ?? ''])
  const models =
    facts.modelsPath === 'unknown' ? '/usr/share/ollama/.ollama/models' : facts.modelsPath
  const inHome = models.startsWith('/usr/share/ollama/')
  const hadHome = manifest.user !== 'created'
  if (byLaunchd)
    left.push(`${facts.home}/.ollama: models and key belong to the account ${facts.user}`)
  else if (!ours) left.push(`${models}: the models belong to the Ollama that was there before`)
  else if (manifest.user === undefined)
    left.push(`${models}: the user ollama was there before, and so its models stay`)
  else if (keepModels) left.push(`${models}: kept as you asked, with the user ollama that owns it`)
  else {
    if (hadHome) left.push('/usr/share/ollama: it was there before')
    else if (!inHome) left.push(`${models}: it lies outside the home of the user ollama`)
    step('remove the user ollama', TAKE_USER, [hadHome ? '0' : '1'])
  }
  adder(actions, false)('remove what was staged', TAKE_STAGING, [stagingDir(facts.home)])
  step('remove the record of it', FORGET, [layout.root, ''])
}

function removeService(
  layout: Layout,
  it: Installation,
  {step, ours}: {step: ReturnType<typeof adder>; ours: boolean},
): void {
  if (ours) step('stop and remove the service', TAKE_SERVICE, [layout.scope, layout.unitDir])
  else if (it.dropInText !== undefined || it.manifest.dropin !== undefined)
    step('give the service back as it was', RESTORE_SERVICE, [
      layout.scope,
      layout.unitDir,
      it.manifest.enabled_before ?? '',
    ])
}

function removeOwn(facts: Facts, actions: Action[], left: string[]): void {
  const layout = layoutFor('user', facts.home)
  const {own} = facts
  const step = adder(actions, false)
  if (facts.userManager)
    removeService(layout, own, {step, ours: own.unit === undefined || isOurs(own)})
  if (own.plistText !== undefined || own.manifest.plist !== undefined)
    step('stop and remove the service', TAKE_LAUNCHD, [plistPath(layout, facts.home), layout.scope])
  if (own.supervisorText !== undefined || own.manifest.supervisor !== undefined)
    step('stop and remove the supervisor', TAKE_SUPERVISOR, [layout.root])
  step('remove the programs', TAKE_PROGRAMS, [layout.root, ''])
  // The account may have had models there before, and pulls of its own: they are not ours to judge.
  left.push(`${facts.home}/.ollama: models and key belong to the account ${facts.user}`)
  if (own.manifest.linger !== undefined) step('let the account not linger', STOP_LINGER, [])
  step('remove the record of it', FORGET, [layout.root, stagingDir(facts.home)])
}

function adder(actions: Action[], root: boolean) {
  return (title: string, script: string, args: string[]) =>
    void actions.push({title, root, script, args, timeoutMs: 120_000})
}
