import {BaseCommand} from '../../lib/cli/base-command.ts'
import {labelSelectorFlag, modelArg, nodesFlag, progressFlag, yesFlag} from '../../lib/cli/flags.ts'
import type {RemovedModel} from '../../lib/jobs/remove-model.ts'

export type ModelRemoveResult = RemovedModel

export default class ModelRemove extends BaseCommand {
  static override summary = 'take a model off nodes'
  static override description =
    'From all nodes that have it unless some are named. Where it is in memory it is unloaded first; answers that are under way are finished.'
  static override examples = [
    '<%= config.bin %> model remove llama3.2:3b --nodes gpu-2',
    '<%= config.bin %> model remove llama3.2:3b --yes',
  ]
  static override args = {model: modelArg()}
  static override flags = {
    nodes: nodesFlag('nodes to take it off; default: all that have it'),
    label: labelSelectorFlag(),
    yes: yesFlag(),
    progress: progressFlag(),
  }

  async run(): Promise<ModelRemoveResult> {
    const {args, flags} = await this.parse(ModelRemove)
    const [{removeModel}, {failureAmong}] = await Promise.all([
      import('../../lib/jobs/remove-model.ts'),
      import('../../lib/jobs/node-failure.ts'),
    ])
    const {model} = args
    const selection = {names: flags.nodes, labels: flags.label}
    const tools = this.tools(flags)
    const result = await this.withProgress(flags.progress, (report) =>
      removeModel(tools, {model, selection, yes: flags.yes, report}),
    )
    for (const {node, outcome, unloaded, error} of result.nodes)
      this.say(`${node}: ${error?.message ?? `${outcome}${unloaded ? ', and unloaded' : ''}`}`)
    for (const node of result.unknown) this.note(`${node} did not answer: it may have it still`)
    const failure = failureAmong(result.nodes, 'still have the model')
    if (failure) throw failure
    return result
  }
}
