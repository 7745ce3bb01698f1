import {Flags} from '@oclif/core'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {labelSelectorFlag, nodesArg, timeoutFlag} from '../lib/cli/flags.ts'
import type {ClusterStatus} from '../lib/jobs/read-status.ts'

export interface StatusResult extends ClusterStatus {}

/** Longest look at a node over SSH. */
const DRIFT_MS = 30_000
/** Of `--check`: the same as for a node that cannot be reached. */
const EXIT_DOWN = 4

export default class Status extends BaseCommand {
  static override summary = 'show how all nodes are now'
  static override description =
    'Asks all nodes at the same time, for no longer than --timeout. A node that is down is part of the answer, so the exit code is 0; with --check it is 4 if a node that is not drained is down. Piped columns: name, state, version, time to answer, models on disk, loaded models, requests in flight from this machine, reason; with --drift, what apply would do there.'
  static override examples = [
    '<%= config.bin %> status',
    '<%= config.bin %> status --watch --interval 5s',
    '<%= config.bin %> status --check --label tier=fast --json',
    '<%= config.bin %> status --drift',
  ]
  static override args = {nodes: nodesArg()}
  static override flags = {
    label: labelSelectorFlag(),
    timeout: timeoutFlag('3s'),
    check: Flags.boolean({summary: 'exit with 4 if a node that is not drained is down'}),
    drift: Flags.boolean({
      summary: 'also look over SSH at what is not as the cluster file wants it; takes longer',
    }),
    watch: Flags.boolean({char: 'w', summary: 'go on until Ctrl-C; --json: one line each time'}),
    interval: Flags.string({summary: 'of --watch', helpValue: '2s', default: '2s'}),
  }

  async run(): Promise<StatusResult> {
    const {args, flags} = await this.parse(Status)
    const [{readStatus}, {parseDuration}, {describeStatus, watchStatus}] = await Promise.all([
      import('../lib/jobs/read-status.ts'),
      import('../lib/cluster/size.ts'),
      import('../lib/cli/status-view.ts'),
    ])
    const tools = this.tools(flags)
    const selection = {names: args.nodes ?? [], labels: flags.label}
    const timeoutMs = parseDuration(flags.timeout)
    const read = async () => {
      const seen = await readStatus(tools, selection, timeoutMs)
      if (!flags.drift) return seen
      const {withDrift} = await import('../lib/jobs/desired/read-drift.ts')
      return withDrift(tools, seen, {concurrency: 8, timeoutMs: DRIFT_MS})
    }
    if (flags.watch)
      await watchStatus(read, {
        intervalMs: Math.max(200, parseDuration(flags.interval)),
        signal: this.signal,
        json: this.jsonEnabled(),
      })
    const status = await read()
    if (status.nodes.length === 0)
      this.note('No nodes yet. Add one: ollamax node add user@host (or try: ollamax quickstart)')
    else if (!this.jsonEnabled()) this.say(await describeStatus(status))
    const missed = status.nodes.some((node) => node.state === 'down' && !node.drained)
    if (flags.check && missed) process.exitCode = EXIT_DOWN
    return status
  }
}
