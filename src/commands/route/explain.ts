import {Flags} from '@oclif/core'
import {promptArgs} from '../../lib/cli/answer-flags.ts'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {readTimeoutFlag} from '../../lib/cli/flags.ts'
import {readPrompt} from '../../lib/cli/read-prompt.ts'
import type {ExplainedRoute} from '../../lib/jobs/explain-route.ts'

export interface RouteExplainResult extends ExplainedRoute {}

export default class RouteExplain extends BaseCommand {
  static override summary = 'show where a request would go now, and why'
  static override description =
    `The nodes that could take it, best first, with the milliseconds that are expected of each: waiting for others, loading the model, reading the prompt, answering, the network, the risk of a node that failed of late, and the harm done to others. Then the nodes that cannot take it, with the reason. The cluster's gateway is asked if one runs (\`gateway:\` in the cluster file), else the nodes are read and ranked as \`run\` does it. Nothing is sent to a model.

Piped columns: node, model's state, requests in flight, wait, load, prompt, answer, network, risk, harm, total (all ms), remark; \`-\` is none.`
  static override examples = [
    '<%= config.bin %> route explain llama3.2 "why is the sky blue?"',
    '<%= config.bin %> route explain qwen3:8b --policy latency --json < prompt.txt',
  ]
  static override args = promptArgs()
  static override flags = {
    policy: Flags.string({summary: "instead of the cluster's", helpValue: 'NAME'}),
    'num-ctx': Flags.integer({summary: 'context length in tokens', min: 1}),
    'num-predict': Flags.integer({summary: 'most tokens of the answer', min: 1}),
    timeout: readTimeoutFlag(),
  }

  async run(): Promise<RouteExplainResult> {
    const {args, flags} = await this.parse(RouteExplain)
    const [{explainRoute}, {parseDuration}, {describeRoute}] = await Promise.all([
      import('../../lib/jobs/explain-route.ts'),
      import('../../lib/cluster/size.ts'),
      import('../../lib/cli/describe-route.ts'),
    ])
    const prompt = await readPrompt(args.prompt ?? [], this.signal)
    const options = {
      ...(flags['num-ctx'] === undefined ? {} : {num_ctx: flags['num-ctx']}),
      ...(flags['num-predict'] === undefined ? {} : {num_predict: flags['num-predict']}),
    }
    const route = await explainRoute(this.tools(flags), {
      body: {model: args.model, prompt, options},
      policy: flags.policy,
      timeoutMs: parseDuration(flags.timeout ?? '3s'),
    })
    if (!this.jsonEnabled()) {
      const by = route.url === null ? 'this process' : `the gateway at ${route.url}`
      this.note(`policy ${route.policy}, decided by ${by}`)
      if (route.candidates.length === 0) this.note('no node can take it now')
      this.say(await describeRoute(route))
    }
    return route
  }
}
