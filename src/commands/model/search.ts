import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {readTimeoutFlag} from '../../lib/cli/flags.ts'
import type {ListedModels} from '../../lib/jobs/list-models.ts'

export type ModelSearchResult = ListedModels

export default class ModelSearch extends BaseCommand {
  static override summary = 'find models that the nodes have'
  static override description =
    'All conditions must hold. Columns as those of model list. A model of which no node tells the capability is not found by one.'
  static override examples = [
    '<%= config.bin %> model search llama',
    '<%= config.bin %> model search --capability vision --max-size 8GiB',
    '<%= config.bin %> model search "qwen*" --family qwen3 --json',
  ]
  static override args = {text: Args.string({description: 'part of the name, or a glob'})}
  static override flags = {
    family: Flags.string({summary: 'family, as model show tells it'}),
    capability: Flags.string({
      summary: 'what it can do: completion, embedding, vision, tools, thinking...',
      multiple: true,
      multipleNonGreedy: true,
      default: [],
      noCacheDefault: true,
    }),
    'min-size': Flags.string({summary: 'at least so large', helpValue: '1GiB'}),
    'max-size': Flags.string({summary: 'at most so large', helpValue: '8GiB'}),
    timeout: readTimeoutFlag(),
  }

  async run(): Promise<ModelSearchResult> {
    const {args, flags} = await this.parse(ModelSearch)
    const [{listModels}, {modelTable}, {parseDuration, parseSize}, {searchModels}] =
      await Promise.all([
        import('../../lib/jobs/list-models.ts'),
        import('../../lib/cli/describe-models.ts'),
        import('../../lib/cluster/size.ts'),
        import('../../lib/cluster/search-models.ts'),
      ])
    const {family, capability, 'min-size': min, 'max-size': max, timeout} = flags
    const query = {
      ...(args.text === undefined ? {} : {text: args.text}),
      ...(family === undefined ? {} : {family}),
      capabilities: capability,
      ...(min === undefined ? {} : {minBytes: parseSize(min)}),
      ...(max === undefined ? {} : {maxBytes: parseSize(max)}),
    }
    const timeoutMs = timeout === undefined ? undefined : parseDuration(timeout)
    const all = await listModels(this.tools(flags), {names: [], labels: []}, timeoutMs)
    const result = {...all, models: searchModels(all.models, query)}
    for (const {node, message} of all.down) this.note(`${node} is not counted: ${message}`)
    if (result.models.length > 0) this.say(await modelTable(result))
    else this.note('No model fits.')
    return result
  }
}
