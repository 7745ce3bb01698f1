import {BaseCommand} from '../lib/cli/base-command.ts'
import {progressFlag, yesFlag} from '../lib/cli/flags.ts'
import {Flags} from '../lib/cli/oclif.ts'
import {fleetFlags} from '../lib/cli/plan-flags.ts'
import {parseDuration} from '../lib/cluster/size.ts'
import type {AppliedPlan} from '../lib/jobs/desired/apply-desired.ts'
import type {DesiredPlan} from '../lib/jobs/desired/plan-desired.ts'

export interface ApplyResult extends AppliedPlan {}

export default class Apply extends BaseCommand {
  static override summary = 'make the fleet what the cluster file wants'
  static override description =
    'Shows the plan, asks, and does it wave by wave; where something in a wave fails, no later one is begun. Running it again goes on from there. While it runs, nobody else can change nodes of this cluster from this machine. Models that the file does not name stay unless --prune is given. Piped columns: node, what, result, time, about.'
  static override examples = [
    '<%= config.bin %> apply',
    '<%= config.bin %> apply --yes --json',
    '<%= config.bin %> apply --artifact ollama-linux-amd64.tar.zst',
  ]
  static override flags = {
    yes: yesFlag(),
    prune: Flags.boolean({summary: 'also remove models and replicas that nobody wants'}),
    artifact: Flags.string({
      summary: 'archive of an Ollama release for nodes that lack the version they should have',
      helpValue: 'FILE',
    }),
    'drain-timeout': Flags.string({
      summary: 'longest time to wait for the requests that run on a node that is to be changed',
      helpValue: '10m',
      default: '10m',
    }),
    ...fleetFlags(),
    progress: progressFlag(),
  }

  async run(): Promise<ApplyResult> {
    const {flags} = await this.parse(Apply)
    const [{applyDesired}, {describePlan}, {applyFailure, describeApplied}] = await Promise.all([
      import('../lib/jobs/desired/apply-desired.ts'),
      import('../lib/cli/describe-plan.ts'),
      import('../lib/cli/describe-applied.ts'),
    ])
    const {yes, prune, artifact, concurrency, timeout} = flags
    const show = (plan: DesiredPlan) => {
      for (const text of [describePlan(plan), ...plan.notes].filter(Boolean)) this.note(text)
      for (const {node, reason} of plan.silent)
        this.note(`${node} could not be read and is left alone: ${reason}`)
    }
    const result = await applyDesired(this.tools(flags), {
      ...{yes, prune, artifact, concurrency, show},
      timeoutMs: parseDuration(timeout),
      drainMs: parseDuration(flags['drain-timeout']),
      doing: (work) => this.withProgress(flags.progress, work),
    })
    const text = await describeApplied(result)
    if (text !== '') this.say(text)
    const failure = applyFailure(result)
    if (failure) throw failure
    this.note(
      result.left === 0
        ? 'All is as the cluster file wants it.'
        : `${result.left} more to do now: ollamax plan`,
    )
    return result
  }
}
