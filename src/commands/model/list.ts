import {BaseCommand} from '../../lib/cli/base-command.ts'
import {labelSelectorFlag, nodesArg, readTimeoutFlag} from '../../lib/cli/flags.ts'
import type {ListedModels} from '../../lib/jobs/list-models.ts'

export type ModelListResult = ListedModels

export default class ModelList extends BaseCommand {
  static override summary = 'list the models of all nodes'
  static override description =
    'Piped columns: name, size in bytes, digest, nodes that have it, nodes that have it in memory, `same` or `drift` (the name stands for different content on different nodes), names of the nodes.'
  static override examples = [
    '<%= config.bin %> model list',
    '<%= config.bin %> model list "gpu-*" --label tier=fast --json',
  ]
  static override args = {nodes: nodesArg()}
  static override flags = {label: labelSelectorFlag(), timeout: readTimeoutFlag()}

  async run(): Promise<ModelListResult> {
    const {args, flags} = await this.parse(ModelList)
    const [{listModels}, {modelTable}, {parseDuration}] = await Promise.all([
      import('../../lib/jobs/list-models.ts'),
      import('../../lib/cli/describe-models.ts'),
      import('../../lib/cluster/size.ts'),
    ])
    const timeoutMs = flags.timeout === undefined ? undefined : parseDuration(flags.timeout)
    const selection = {names: args.nodes ?? [], labels: flags.label}
    const result = await listModels(this.tools(flags), selection, timeoutMs)
    for (const {node, message} of result.down) this.note(`${node} is not counted: ${message}`)
    if (result.models.length > 0) this.say(await modelTable(result))
    else if (result.asked.length > 0)
      this.note('No models yet. Get one: ollamax model pull llama3.2:3b')
    return result
  }
}
