import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {
  forceModelFlag,
  labelSelectorFlag,
  modelArg,
  nodesFlag,
  progressFlag,
} from '../../lib/cli/flags.ts'
import type {PulledModel} from '../../lib/jobs/pull-model.ts'

export type ModelPullResult = PulledModel

export default class ModelPull extends BaseCommand {
  static override summary = 'get a model from its registry, once, and bring it to several nodes'
  static override description =
    'One node pulls it with its own Ollama, the others get it from that one over SSH; a node by URL pulls by itself. Without any choice one node gets it: one that has it already, or the one with most room.'
  static override examples = [
    '<%= config.bin %> model pull llama3.2:3b',
    '<%= config.bin %> model pull llama3.2:3b --replicas 3 --label tier=fast',
    '<%= config.bin %> model pull llama3.2:3b --nodes gpu-1,gpu-2',
    '<%= config.bin %> model pull llama3.2:3b --nodes mac --registry http://gateway.lan:11435',
  ]
  static override args = {model: modelArg()}
  static override flags = {
    nodes: nodesFlag('nodes that are to have it, or may have it with --replicas'),
    label: labelSelectorFlag(),
    replicas: Flags.integer({summary: 'how many of those nodes are to have it', min: 1}),
    registry: Flags.string({
      summary:
        "registry to ask instead of the model's own, as the nodes reach it: that of a gateway with --registry, say",
      helpValue: 'URL',
    }),
    insecure: Flags.boolean({summary: 'take a registry without a certificate'}),
    force: forceModelFlag(),
    progress: progressFlag(),
  }

  async run(): Promise<ModelPullResult> {
    const {args, flags} = await this.parse(ModelPull)
    const [{pullModel}, {chooseTargets}, {describePulled}, {failureAmong}] = await Promise.all([
      import('../../lib/jobs/pull-model.ts'),
      import('../../lib/jobs/choose-targets.ts'),
      import('../../lib/cli/describe-models.ts'),
      import('../../lib/jobs/node-failure.ts'),
    ])
    const {model} = args
    const {replicas, insecure, registry, force} = flags
    const tools = this.tools(flags)
    const selection = {names: flags.nodes, labels: flags.label}
    const result = await this.withProgress(flags.progress, async (report) => {
      const to = await chooseTargets(tools, {model, selection, replicas})
      return pullModel(tools, {model, to, insecure, registry, force, report})
    })
    this.say(describePulled(result))
    const failure = failureAmong(result.nodes, 'did not get the model')
    if (failure) throw failure
    return result
  }
}
