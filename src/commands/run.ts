import {isatty} from 'node:tty'
import {Args} from '@oclif/core'
import {type AnswerResult, printAnswer, ReaderGone} from '../lib/cli/answer.ts'
import {bodyOf, imagesOf} from '../lib/cli/answer-body.ts'
import {answerFlags, routeFlags} from '../lib/cli/answer-flags.ts'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {readPrompt} from '../lib/cli/read-prompt.ts'
import {OllamaxError} from '../lib/errors.ts'

export type RunResult = AnswerResult

export default class Run extends BaseCommand {
  static override summary = 'let a model answer a prompt, on the node that will be done soonest'
  static override description =
    'The prompt is taken from the arguments, from standard input, or from both. Without one, on a terminal, a chat begins.'
  static override examples = [
    '<%= config.bin %> run llama3.2 "why is the sky blue?"',
    'cat README.md | <%= config.bin %> run llama3.2 "summarise this:"',
    '<%= config.bin %> run llama3.2 "three colours" --format schema.json --option temperature=0 --json',
  ]
  static override strict = false
  static override args = {model: Args.string({description: 'name of the model', required: true})}
  static override flags = {...answerFlags(), ...routeFlags()}

  async run(): Promise<RunResult> {
    const {args, argv, flags} = await this.parse(Run)
    const words = (argv as string[]).slice(1)
    const body = {...bodyOf(flags), ...imagesOf(flags)}
    const prompt = await readPrompt(words, this.signal)
    if (!prompt.trim()) return this.#withoutPrompt(args.model, flags)
    const {system} = flags
    const request = {model: args.model, prompt, ...(system === undefined ? {} : {system}), ...body}
    try {
      const json = this.jsonEnabled()
      return await printAnswer(this.tools(flags), request, {
        flags,
        signal: this.signal,
        json,
        drawn: this.drawn,
      })
    } catch (error) {
      if (error instanceof ReaderGone) return this.exit(0)
      throw error
    }
  }

  async #withoutPrompt(model: string, flags: object): Promise<RunResult> {
    if (isatty(0) && !this.jsonEnabled()) {
      const {chatHere} = await import('../lib/cli/line-chat.ts')
      await chatHere(this.tools(flags), {model, flags, signal: this.signal, drawn: this.drawn})
      return this.exit(0)
    }
    throw new OllamaxError('BAD_INPUT', 'the prompt is empty', {
      suggestions: [`ollamax run ${model} "why is the sky blue?"`, 'or pipe it in'],
    })
  }
}
