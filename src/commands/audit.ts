import {Flags} from '@oclif/core'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {nodesArg} from '../lib/cli/flags.ts'
import type {ChangeRecord} from '../lib/cluster/change-record.ts'

export interface AuditResult {
  /** Oldest first. */
  readonly changes: readonly ChangeRecord[]
}

export default class Audit extends BaseCommand {
  static override summary =
    'show what was changed on machines: who, when, where, what, and how it ended'
  static override description =
    'Every command that ollamax runs on a machine over SSH and that changes something, or may, is kept on the machine that it was given on: the last 16 MiB or so. What looks like a secret is left out.'
  static override examples = [
    '<%= config.bin %> audit',
    '<%= config.bin %> audit gpu-1 --since 2h --failed',
    '<%= config.bin %> audit --json --limit 1000',
  ]
  static override args = {
    nodes: nodesArg('names or globs of nodes, also of those that are gone (default: all)'),
  }
  static override flags = {
    since: Flags.string({summary: 'only what began so long ago at most', helpValue: '2h'}),
    failed: Flags.boolean({summary: 'only what failed or was broken off'}),
    'all-clusters': Flags.boolean({summary: 'not only of this cluster'}),
    limit: Flags.integer({summary: 'only the last so many', default: 100, min: 1, max: 1_000_000}),
  }

  async run(): Promise<AuditResult> {
    const {args, flags} = await this.parse(Audit)
    const [{auditChanges}, {parseDuration}, {describeChanges}] = await Promise.all([
      import('../lib/jobs/audit-changes.ts'),
      import('../lib/cluster/size.ts'),
      import('../lib/cli/describe-changes.ts'),
    ])
    const changes = auditChanges(this.tools(flags), {
      nodes: args.nodes ?? [],
      sinceMs: flags.since === undefined ? undefined : parseDuration(flags.since),
      failed: flags.failed,
      allClusters: flags['all-clusters'],
      limit: flags.limit,
    })
    if (changes.length > 0) this.say(await describeChanges(changes))
    else this.note('nothing of that kind is on record')
    return {changes}
  }
}
