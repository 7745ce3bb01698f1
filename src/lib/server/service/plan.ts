import {UNIT_MARK, UNIT_NAME, type UnitSpec, unitText} from './unit.ts'

/** One step; each is safe to take again. */
export type ServiceStep =
  | {readonly kind: 'write'; readonly path: string; readonly text: string}
  | {readonly kind: 'remove'; readonly path: string}
  /** Makes a directory that belongs to the account of the service, and to nobody else. */
  | {readonly kind: 'directory'; readonly path: string}
  | {readonly kind: 'systemctl'; readonly args: readonly string[]}

/** The service as the machine has it now. */
export interface ServiceFacts {
  /** The text of the unit's file; undefined: there is none. */
  readonly text: string | undefined
  /** As `systemctl is-enabled` and `is-active` say it. */
  readonly enabled: boolean
  readonly active: boolean
  /** A directory that it needs and that is not there. */
  readonly lacks?: string | undefined
}

/** What would be done. No steps and no problem: it is as it is wanted. */
export interface ServicePlan {
  readonly steps: readonly ServiceStep[]
  readonly problem?: string
}

const FOREIGN = 'was not written by ollamax, and is left as it is'

/** The way to a service that runs as `spec` says, from boot on. */
export function planInstall(spec: UnitSpec, file: string, facts: ServiceFacts): ServicePlan {
  const text = unitText(spec)
  if (isForeign(facts)) return {steps: [], problem: `${file} ${FOREIGN}`}
  const changed = facts.text !== text
  const steps: ServiceStep[] = []
  if (facts.lacks !== undefined) steps.push({kind: 'directory', path: facts.lacks})
  if (changed) steps.push({kind: 'write', path: file, text}, systemctl(spec.scope, 'daemon-reload'))
  if (changed || !facts.enabled) steps.push(systemctl(spec.scope, 'enable', UNIT_NAME))
  // Starts one that is stopped, too.
  if (changed || !facts.active) steps.push(systemctl(spec.scope, 'restart', UNIT_NAME))
  return {steps}
}

/** The way to a machine without it. */
export function planUninstall(
  scope: UnitSpec['scope'],
  file: string,
  facts: ServiceFacts,
): ServicePlan {
  if (facts.text === undefined) return {steps: []}
  if (isForeign(facts)) return {steps: [], problem: `${file} ${FOREIGN}`}
  return {
    steps: [
      systemctl(scope, 'disable', '--now', UNIT_NAME),
      {kind: 'remove', path: file},
      systemctl(scope, 'daemon-reload'),
    ],
  }
}

/** A step as a line for people. */
export function describeStep(step: ServiceStep): string {
  if (step.kind === 'systemctl') return ['systemctl', ...step.args].join(' ')
  return `${step.kind === 'directory' ? 'make the directory' : step.kind} ${step.path}`
}

function isForeign({text}: ServiceFacts): boolean {
  return text !== undefined && !text.startsWith(UNIT_MARK)
}

function systemctl(scope: UnitSpec['scope'], ...args: string[]): ServiceStep {
  return {kind: 'systemctl', args: scope === 'user' ? ['--user', ...args] : args}
}
