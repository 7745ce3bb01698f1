import {BaseCommand} from '../lib/cli/base-command.ts'

export interface WorkerResult {
  readonly ended: true
}

/** A process below the gateway's that answers clients; it speaks over the channel of its parent only. */
export default class Worker extends BaseCommand {
  static override hidden = true
  static override summary = 'be a worker of the gateway'
  static override examples = ['<%= config.bin %> worker']

  async run(): Promise<WorkerResult> {
    await this.parse(Worker)
    const {runWorker} = await import('../lib/server/workers/run-worker.ts')
    await runWorker(process.env)
    return {ended: true}
  }
}
