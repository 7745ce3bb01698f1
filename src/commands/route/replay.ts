import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {readInput} from '../../lib/cli/read-prompt.ts'
import type {ReplayedRoute} from '../../lib/jobs/replay-route.ts'

export interface RouteReplayResult extends ReplayedRoute {}

export default class RouteReplay extends BaseCommand {
  static override summary = 'show how recorded requests would have gone under other policies'
  static override description =
    `Takes the latest requests from the cluster's gateway, or from a file that \`route export\` wrote, and gives them once more, at the times at which they came, to the gateway's own dispatcher, with simulated nodes that are as fast as the real ones had shown themselves. Nothing is sent to a node. The first row, \`measured\`, is what really came of the same requests; how far the policy that was in force is from it tells how much the other rows are worth.

What no replay can know is printed with it: the speeds, slots and memory are those that were learned until the recording was taken; every node is up all the time; what others asked of the nodes is not in it; every request comes when it came, however soon the one before was answered; nobody leaves or is refused. Requests that were not answered, or whose length or speed nobody knows, are left out and counted.

Piped columns: policy, mean, p50, p95 and p99 of the time to the first byte, the same of the time in all, makespan (all ms), requests that nobody answered, models that were loaded, share of each node as \`node=share\`; \`-\` is not known.`
  static override examples = [
    '<%= config.bin %> route replay --policy round-robin --policy least-loaded',
    '<%= config.bin %> route replay monday.jsonl --json',
  ]
  static override args = {
    recording: Args.string({
      description:
        "a file that `route export` wrote; `-`: from stdin; default: the gateway's latest",
    }),
  }
  static override flags = {
    policy: Flags.string({
      summary: 'the policy to replay with; may be given several times; default: all',
      helpValue: 'NAME',
      multiple: true,
    }),
    limit: Flags.integer({
      summary: "so many of the gateway's latest requests",
      default: 1000,
      min: 1,
      max: 1000,
    }),
  }

  async run(): Promise<RouteReplayResult> {
    const {args, flags} = await this.parse(RouteReplay)
    const [{replayRoute}, {describeReplay, replayNotes}] = await Promise.all([
      import('../../lib/jobs/replay-route.ts'),
      import('../../lib/cli/describe-replay.ts'),
    ])
    const text =
      args.recording === undefined ? undefined : await readInput(args.recording, this.signal)
    const result = await replayRoute(this.tools(flags), {
      text,
      policies: flags.policy ?? [],
      most: flags.limit,
    })
    if (!this.jsonEnabled()) {
      for (const note of replayNotes(result)) this.note(note)
      if (result.requests > 0) this.say(await describeReplay(result))
    }
    return result
  }
}
