import {Flags} from '../lib/cli/oclif.ts'
import {table} from '../lib/cli/output.ts'
import {PlanCommand} from '../lib/cli/plan-command.ts'
import {fleetFlags} from '../lib/cli/plan-flags.ts'
import {parseDuration} from '../lib/cluster/size.ts'
import type {DesiredDiff} from '../lib/jobs/desired/diff-desired.ts'

export interface DiffResult extends DesiredDiff {}

const COLUMNS = ['NODE', 'KEY', 'WANTED', 'ACTUAL']

export default class Diff extends PlanCommand {
  static override summary = 'show what is not as the cluster file wants it, key by key'
  static override description =
    'Looks as plan does, and changes nothing; the exit codes are those of plan. With --text, unified diffs of the files that ollamax keeps on the hosts. Piped columns: node, key, wanted, actual; `-` is neither wanted nor there.'
  static override examples = [
    '<%= config.bin %> diff',
    '<%= config.bin %> diff --text',
    '<%= config.bin %> diff --json',
  ]
  static override flags = {
    text: Flags.boolean({summary: 'unified diffs of files on the hosts, instead'}),
    ...fleetFlags(),
  }

  async run(): Promise<DiffResult> {
    const {flags} = await this.parse(Diff)
    const [{diffDesired}, {planFailure}] = await Promise.all([
      import('../lib/jobs/desired/diff-desired.ts'),
      import('../lib/jobs/desired/plan-desired.ts'),
    ])
    const {concurrency, timeout} = flags
    const timeoutMs = parseDuration(timeout)
    const {diff, plan} = await diffDesired(this.tools(flags), {concurrency, timeoutMs})
    const rows = diff.differences.map(({node, key, wanted, actual}) => [node, key, wanted, actual])
    const text = flags.text
      ? diff.files.map((file) => file.diff).join('\n')
      : await table(COLUMNS, rows)
    if (text !== '') this.say(text)
    this.notes(plan)
    const failure = planFailure(plan)
    if (failure) throw failure
    this.exitWith(plan.changes)
    return diff
  }
}
