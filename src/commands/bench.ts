import {Flags} from '@oclif/core'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {labelSelectorFlag, nodesArg, progressFlag, timeoutFlag, yesFlag} from '../lib/cli/flags.ts'
import type {Bench as BenchRun} from '../lib/jobs/bench/run-bench.ts'

export interface BenchResult extends BenchRun {}

export default class Bench extends BaseCommand {
  static override summary = 'measure how fast a model runs on each node'
  static override description =
    `Asks each node itself, past any gateway: load time, first token, prompts of several sizes, the pace of one answer, and how many run at once before they have to wait. Figures are the middle ones of several rounds, by the node's own account where it tells. Each run is compared with the last one of the same model on the same node, and becomes what the balancer expects of it.

A node is kept busy meanwhile; a model that is not in memory is loaded, which may drive another one out. --cold takes the model out of memory first and asks before that if it is there. Drained nodes are left out unless they are named. Piped columns: node, figure, value, unit, the same of the last run, ratio.`
  static override examples = [
    '<%= config.bin %> bench',
    '<%= config.bin %> bench gpu-1 gpu-2 --model llama3.2 --cold --yes',
    '<%= config.bin %> bench --label tier=fast --sizes 512,4096 --json',
  ]
  static override args = {nodes: nodesArg()}
  static override flags = {
    label: labelSelectorFlag(),
    model: Flags.string({
      char: 'm',
      summary: 'default: the one that most nodes have in memory, else the smallest',
      helpValue: 'NAME',
    }),
    cold: Flags.boolean({summary: 'take the model out of memory first, to measure its load'}),
    sizes: Flags.string({
      summary: 'tokens of the prompts',
      default: '128,512,2048',
      helpValue: 'N,N',
    }),
    rounds: Flags.integer({summary: 'answers of each kind', default: 3, min: 1, max: 20}),
    'most-at-once': Flags.integer({
      summary: 'requests at once to try at most',
      default: 16,
      min: 1,
      max: 128,
    }),
    timeout: timeoutFlag('5m'),
    concurrency: Flags.integer({summary: 'nodes at the same time', default: 4, min: 1, max: 64}),
    yes: yesFlag(),
    progress: progressFlag(),
  }

  async run(): Promise<BenchResult> {
    const {args, flags} = await this.parse(Bench)
    const [
      {runBench},
      {parseDuration},
      {benchFailed, benchNotes, benchPlan, describeBench, parseSizes},
    ] = await Promise.all([
      import('../lib/jobs/bench/run-bench.ts'),
      import('../lib/cluster/size.ts'),
      import('../lib/cli/describe-bench.ts'),
    ])
    const how = {
      cold: flags.cold,
      mostAtOnce: flags['most-at-once'],
      timeoutMs: parseDuration(flags.timeout),
    }
    this.note(benchPlan(how))
    const bench = await this.withProgress(flags.progress, (report) =>
      runBench(this.tools(flags), {
        ...how,
        selection: {names: args.nodes ?? [], labels: flags.label},
        model: flags.model,
        sizes: parseSizes(flags.sizes),
        rounds: flags.rounds,
        atOnce: flags.concurrency,
        yes: flags.yes,
        report,
      }),
    )
    if (!this.jsonEnabled()) for (const note of benchNotes(bench)) this.note(note)
    const drawn = await describeBench(bench)
    if (drawn) this.say(drawn)
    const failed = benchFailed(bench)
    if (failed) throw failed
    return bench
  }
}
