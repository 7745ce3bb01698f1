import {Args, Flags} from '@oclif/core'
import {type AnswerResult, printAnswer, ReaderGone} from '../lib/cli/answer.ts'
import {bodyOf, imagesOf} from '../lib/cli/answer-body.ts'
import {answerFlags, routeFlags} from '../lib/cli/answer-flags.ts'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {readPrompt} from '../lib/cli/read-prompt.ts'

export type GenerateResult = AnswerResult

export default class Generate extends BaseCommand {
  static override summary = "call a node's generate API as it is: raw prompts, suffixes, templates"
  static override description =
    'Without a prompt the model is loaded, or unloaded with --keep-alive 0, and nothing is written.'
  static override examples = [
    '<%= config.bin %> generate codellama "def add(" --suffix "return c"',
    '<%= config.bin %> generate llama3.2 "[INST] hi [/INST]" --raw --chunks',
    '<%= config.bin %> generate llama3.2 --keep-alive 0 < /dev/null',
  ]
  static override strict = false
  static override args = {model: Args.string({description: 'name of the model', required: true})}
  static override flags = {
    raw: Flags.boolean({summary: 'no template: the prompt reaches the model as it is'}),
    suffix: Flags.string({summary: 'text that comes after the answer', helpValue: 'TEXT'}),
    template: Flags.string({summary: "template instead of the model's own", helpValue: 'TEXT'}),
    chunks: Flags.boolean({summary: 'print each line of the answer as the node sends it'}),
    ...answerFlags(),
    ...routeFlags(),
  }

  async run(): Promise<GenerateResult> {
    const {args, argv, flags} = await this.parse(Generate)
    const prompt = await readPrompt((argv as string[]).slice(1), this.signal)
    const {system, suffix, template} = flags
    const body = {
      model: args.model,
      prompt,
      ...(system === undefined ? {} : {system}),
      ...(suffix === undefined ? {} : {suffix}),
      ...(template === undefined ? {} : {template}),
      ...(flags.raw ? {raw: true} : {}),
      ...bodyOf(flags),
      ...imagesOf(flags),
    }
    try {
      const options = {
        flags,
        chunks: flags.chunks,
        signal: this.signal,
        json: this.jsonEnabled(),
        drawn: this.drawn,
      }
      return await printAnswer(this.tools(flags), body, options)
    } catch (error) {
      if (error instanceof ReaderGone) return this.exit(0)
      throw error
    }
  }
}
