import {Flags} from '@oclif/core'
import type {AnswerResult} from '../lib/cli/answer.ts'
import {requestOf} from '../lib/cli/answer-body.ts'
import {AnswerCommand} from '../lib/cli/answer-command.ts'
import {answerFlags, promptArgs, routeFlags} from '../lib/cli/answer-flags.ts'
import {readPrompt} from '../lib/cli/read-prompt.ts'

export type GenerateResult = AnswerResult

export default class Generate extends AnswerCommand {
  static override summary = "call a node's generate API as it is: raw prompts, suffixes, templates"
  static override description =
    'Without a prompt the model is loaded, or unloaded with --keep-alive 0, and nothing is written.'
  static override examples = [
    '<%= config.bin %> generate codellama "def add(" --suffix "return c"',
    '<%= config.bin %> generate llama3.2 "[INST] hi [/INST]" --raw --chunks',
    '<%= config.bin %> generate llama3.2 --keep-alive 0 < /dev/null',
  ]
  static override args = promptArgs()
  static override flags = {
    raw: Flags.boolean({summary: 'no template: the prompt reaches the model as it is'}),
    suffix: Flags.string({summary: 'text that comes after the answer', helpValue: 'TEXT'}),
    template: Flags.string({summary: "template instead of the model's own", helpValue: 'TEXT'}),
    chunks: Flags.boolean({summary: 'print each line of the answer as the node sends it'}),
    ...answerFlags(),
    ...routeFlags(),
  }

  async run(): Promise<GenerateResult> {
    const {args, flags} = await this.parse(Generate)
    const asked = requestOf(flags)
    const prompt = await readPrompt(args.prompt ?? [], this.signal)
    const {suffix, template} = flags
    const body = {
      model: args.model,
      prompt,
      ...(suffix === undefined ? {} : {suffix}),
      ...(template === undefined ? {} : {template}),
      ...(flags.raw ? {raw: true} : {}),
      ...asked,
    }
    return this.answer(body, flags, flags.chunks)
  }
}
