import {Flags} from '../lib/cli/oclif.ts'
import {PlanCommand} from '../lib/cli/plan-command.ts'
import {fleetFlags} from '../lib/cli/plan-flags.ts'
import {parseDuration} from '../lib/cluster/size.ts'
import type {DesiredPlan} from '../lib/jobs/desired/plan-desired.ts'

export interface PlanResult extends DesiredPlan {}

export default class Plan extends PlanCommand {
  static override summary = 'show what differs from the cluster file, and what apply would do'
  static override description =
    'Looks at every node and changes nothing. Exit code 0: nothing is to be done; 2: something is; 1: an error, among them a wish that cannot be met. Models that the file does not name are left alone unless --prune is given. Piped columns: wave, node, kind, model, what, why.'
  static override examples = [
    '<%= config.bin %> plan',
    '<%= config.bin %> plan --explain',
    '<%= config.bin %> plan --prune --json',
  ]
  static override flags = {
    prune: Flags.boolean({summary: 'also remove models and replicas that nobody wants'}),
    explain: Flags.boolean({summary: 'show why each model lies where it does, instead'}),
    ...fleetFlags(),
  }

  async run(): Promise<PlanResult> {
    const {flags} = await this.parse(Plan)
    const [{planDesired, planFailure}, {describePlan, describeReplicas}] = await Promise.all([
      import('../lib/jobs/desired/plan-desired.ts'),
      import('../lib/cli/describe-plan.ts'),
    ])
    const {prune, concurrency, timeout} = flags
    const {plan} = await planDesired(this.tools(flags), {
      ...{prune, concurrency},
      timeoutMs: parseDuration(timeout),
    })
    const text = flags.explain ? describeReplicas(plan) : describePlan(plan)
    if (text !== '') this.say(text)
    this.notes(plan)
    const failure = planFailure(plan)
    if (failure) throw failure
    if (plan.changes === 0) this.note('All is as the cluster file wants it.')
    this.exitWith(plan.changes)
    return plan
  }
}
