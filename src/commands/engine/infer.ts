import {BaseCommand} from '../../lib/cli/base-command.ts'

export interface EngineInferResult {
  readonly ended: true
}

/** The inference process below the engine process; it speaks over the channel of its parent only. */
export default class EngineInfer extends BaseCommand {
  static override hidden = true
  static override summary = 'be the inference process of the embedded node'
  static override examples = ['<%= config.bin %> engine infer']

  async run(): Promise<EngineInferResult> {
    await this.parse(EngineInfer)
    const {runInferenceChild} = await import('../../lib/engine/infer/run-child.ts')
    await runInferenceChild()
    return {ended: true}
  }
}
