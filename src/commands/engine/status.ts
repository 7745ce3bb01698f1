import {BaseCommand} from '../../lib/cli/base-command.ts'
import {table} from '../../lib/cli/output.ts'
import {roundDuration, roundSize} from '../../lib/cluster/size.ts'
import {readEngine, type EngineStatus as Status} from '../../lib/jobs/read-engine.ts'

export interface EngineStatusResult extends Status {}

/** As `systemctl status` answers for a service that does not run. */
const NOT_RUNNING = 3

export default class EngineStatus extends BaseCommand {
  static override summary = 'show whether the embedded node runs; exit code 3 if it does not'
  static override examples = [
    '<%= config.bin %> engine status',
    '<%= config.bin %> engine status --json',
  ]

  async run(): Promise<EngineStatusResult> {
    await this.parse(EngineStatus)
    const status = await readEngine(this.tools())
    if (!this.jsonEnabled()) this.say(await describe(status))
    if (status.state !== 'running') process.exitCode = NOT_RUNNING
    return status
  }
}

function describe(status: Status): Promise<string> {
  const {memoryBytes, uptimeMs} = status
  const unknown = 'unknown'
  const rows: Array<readonly [string, string]> = [['state', status.state]]
  if (status.problem !== null) rows.push(['problem', status.problem])
  if (status.pid !== null)
    rows.push(
      ['pid', String(status.pid)],
      ['address', status.url ?? unknown],
      ['uptime', uptimeMs === null ? unknown : roundDuration(uptimeMs)],
      ['memory', memoryBytes === null ? unknown : roundSize(memoryBytes)],
    )
  if (status.model !== null) {
    const loaded = status.loaded === null ? '' : status.loaded ? ' (loaded)' : ' (not loaded)'
    rows.push(['model', status.model + loaded], ['model file', status.modelPath ?? unknown])
    rows.push(['model from', status.modelSource ?? unknown])
  }
  rows.push(['log', status.log])
  return table(['embedded node', ''], rows)
}
