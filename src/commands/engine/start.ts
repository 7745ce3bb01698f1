import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {progressFlag} from '../../lib/cli/flags.ts'
import {modelFlags} from '../../lib/cli/model-flags.ts'
import type {StartedEngine} from '../../lib/jobs/start-engine.ts'

export interface EngineStartResult extends StartedEngine {}

export default class EngineStart extends BaseCommand {
  static override summary = 'start the embedded node, fetching what is missing'
  static override description =
    `The embedded node is a small engine of ollamax itself, for machines without Ollama: a process that serves a part of Ollama's API on this machine's loopback, with one model, on the CPU.
Its model is the file or address that is given; otherwise the one used before, the smallest of a local Ollama's store, or SmolLM2-135M from PyPI, which is there to try the tool, not to work with.`
  static override examples = [
    '<%= config.bin %> engine start',
    '<%= config.bin %> engine start --gguf ./model.gguf --port 11500',
  ]
  static override flags = {
    ...modelFlags(),
    model: Flags.string({
      summary: 'name for the model file; alone: the model of a local Ollama store to use',
      helpValue: 'NAME',
    }),
    port: Flags.integer({
      summary: 'loopback port; 0: any free one',
      default: 0,
      min: 0,
      max: 65_535,
    }),
    progress: progressFlag(),
  }

  async run(): Promise<EngineStartResult> {
    const {flags} = await this.parse(EngineStart)
    const {startEngine} = await import('../../lib/jobs/start-engine.ts')
    const {gguf, url, sha256, model: name, port} = flags
    const wish = {gguf, url, sha256, name}
    const result = await this.withProgress(flags.progress, (report) =>
      startEngine(this.tools(flags), {wish, port, report}),
    )
    const {started, model, pid} = result
    this.say(
      `the embedded node ${started ? 'serves' : 'runs already and serves'} ${model} on ${result.url} (pid ${pid})`,
    )
    return result
  }
}
