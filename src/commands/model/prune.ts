import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {labelSelectorFlag, nodesArg, progressFlag, yesFlag} from '../../lib/cli/flags.ts'
import type {PrunedModels} from '../../lib/jobs/prune-models.ts'

export type ModelPruneResult = PrunedModels

export default class ModelPrune extends BaseCommand {
  static override summary = 'remove files that no model needs'
  static override description =
    'What deleted models, broken pulls and broken copies left in the stores of the nodes. No model is removed. Piped columns: node, `removed` or `found`, files, bytes.'
  static override examples = [
    '<%= config.bin %> model prune --dry-run',
    '<%= config.bin %> model prune "gpu-*" --yes',
  ]
  static override args = {nodes: nodesArg()}
  static override flags = {
    label: labelSelectorFlag(),
    'older-than': Flags.string({
      summary: 'leave what was changed later: it may belong to a copy that goes on',
      default: '1h',
      helpValue: '1h',
    }),
    'dry-run': Flags.boolean({summary: 'only show what would be removed'}),
    yes: yesFlag(),
    progress: progressFlag(),
  }

  async run(): Promise<ModelPruneResult> {
    const {args, flags} = await this.parse(ModelPrune)
    const [{pruneModels}, {parseDuration}, {pruneTable}, {failureAmong}] = await Promise.all([
      import('../../lib/jobs/prune-models.ts'),
      import('../../lib/cluster/size.ts'),
      import('../../lib/cli/describe-models.ts'),
      import('../../lib/jobs/node-failure.ts'),
    ])
    const tools = this.tools(flags)
    const olderThanMinutes = Math.ceil(parseDuration(flags['older-than']) / 60_000)
    const result = await this.withProgress(flags.progress, (report) =>
      pruneModels(tools, {
        selection: {names: args.nodes ?? [], labels: flags.label},
        olderThanMinutes,
        dryRun: flags['dry-run'],
        yes: flags.yes,
        report,
      }),
    )
    this.say(await pruneTable(result))
    const failure = failureAmong(result.nodes, 'could not be pruned')
    if (failure) throw failure
    return result
  }
}
