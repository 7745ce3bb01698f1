import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import type {Recording} from '../../lib/cluster/recording.ts'

export interface RouteExportResult extends Recording {}

export default class RouteExport extends BaseCommand {
  static override summary = 'print what a replay of the latest requests needs, as JSON lines'
  static override description =
    `The first line is the fleet as the cluster's gateway knows it (speeds, slots, models, what is in memory), each further line one request in the order of their coming: when it came, what it asked for, where it went and what became of it. It holds no word of a prompt or an answer and no key: sessions and the beginnings of prompts are numbers that say only what is the same. The gateway keeps the latest 1,000 in its memory.`
  static override examples = [
    '<%= config.bin %> route export > monday.jsonl',
    '<%= config.bin %> route export --limit 200 | <%= config.bin %> route replay - --policy round-robin',
  ]
  static override flags = {
    limit: Flags.integer({
      summary: 'so many of the latest requests',
      default: 1000,
      min: 1,
      max: 1000,
    }),
  }

  async run(): Promise<RouteExportResult> {
    const {flags} = await this.parse(RouteExport)
    const [{latestRecording}, {recordingLines}] = await Promise.all([
      import('../../lib/jobs/replay-route.ts'),
      import('../../lib/cluster/recording.ts'),
    ])
    const recording = await latestRecording(this.tools(flags), flags.limit)
    if (recording.requests.length === 0) this.note('no request has gone through it yet')
    if (!this.jsonEnabled()) process.stdout.write(`${recordingLines(recording)}\n`)
    return recording
  }
}
