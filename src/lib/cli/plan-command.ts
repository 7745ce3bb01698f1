import type {DesiredPlan} from '../jobs/desired/plan-desired.ts'
import {BaseCommand} from './base-command.ts'

/** There is something to do, which is no error. */
const EXIT_CHANGES = 2

/** A command that compares the fleet with its file: exit 0 nothing to do, 2 something, 1 any error, so that CI can gate on it. */
export abstract class PlanCommand extends BaseCommand {
  /** Says on stderr what is no part of the result. */
  protected notes({notes, silent}: Pick<DesiredPlan, 'notes' | 'silent'>): void {
    for (const text of notes) this.note(text)
    for (const {node, reason} of silent)
      this.note(`${node} could not be read and is left alone: ${reason}`)
  }

  protected exitWith(changes: number): void {
    if (changes > 0) process.exitCode = EXIT_CHANGES
  }

  /** A wrong flag or a broken file must not look like changes. */
  protected override async catch(thrown: Error): Promise<unknown> {
    const exit = (thrown as {oclif?: {exit?: number}}).oclif?.exit
    if (exit === EXIT_CHANGES) Object.defineProperty(thrown, 'oclif', {value: {exit: 1}})
    return super.catch(thrown)
  }
}
