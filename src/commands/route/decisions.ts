import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import type {DecisionRecord} from '../../lib/cluster/routing.ts'

export interface RouteDecisionsResult {
  readonly cluster: string
  /** The latest first. */
  readonly decisions: readonly DecisionRecord[]
}

export default class RouteDecisions extends BaseCommand {
  static override summary = 'show where the latest requests went, why, and what became of them'
  static override description =
    "Asks the cluster's gateway (`gateway:` in the cluster file), which keeps the latest 1,000 in its memory. Piped columns: time, id, model, node, reason, attempts, ms in the queue, ms to the first byte, ms in all, tokens of the answer, outcome; `-` is none."
  static override examples = [
    '<%= config.bin %> route decisions',
    '<%= config.bin %> route decisions --limit 1000 --json',
  ]
  static override flags = {
    limit: Flags.integer({summary: 'so many at most', default: 20, min: 1, max: 1000}),
  }

  async run(): Promise<RouteDecisionsResult> {
    const {flags} = await this.parse(RouteDecisions)
    const [{latestDecisions}, {describeDecisions}] = await Promise.all([
      import('../../lib/jobs/explain-route.ts'),
      import('../../lib/cli/describe-route.ts'),
    ])
    const result = await latestDecisions(this.tools(flags), flags.limit)
    if (result.decisions.length === 0) this.note('no request has gone through it yet')
    else if (!this.jsonEnabled()) this.say(await describeDecisions(result.decisions))
    return result
  }
}
