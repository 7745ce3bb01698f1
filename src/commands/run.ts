import {isatty} from 'node:tty'
import type {AnswerResult} from '../lib/cli/answer.ts'
import {requestOf} from '../lib/cli/answer-body.ts'
import {AnswerCommand} from '../lib/cli/answer-command.ts'
import {answerFlags, promptArgs, routeFlags} from '../lib/cli/answer-flags.ts'
import {readPrompt} from '../lib/cli/read-prompt.ts'
import {OllamaxError} from '../lib/errors.ts'

export type RunResult = AnswerResult

export default class Run extends AnswerCommand {
  static override summary = 'let a model answer a prompt, on the node that will be done soonest'
  static override description =
    'The prompt is taken from the arguments, from standard input, or from both. Without one, on a terminal, a chat begins.'
  static override examples = [
    '<%= config.bin %> run llama3.2 "why is the sky blue?"',
    'cat README.md | <%= config.bin %> run llama3.2 "summarise this:"',
    '<%= config.bin %> run llama3.2 "three colours" --format schema.json --option temperature=0 --json',
  ]
  static override args = promptArgs()
  static override flags = {...answerFlags(), ...routeFlags()}

  async run(): Promise<RunResult> {
    const {args, flags} = await this.parse(Run)
    const asked = requestOf(flags)
    const prompt = await readPrompt(args.prompt ?? [], this.signal)
    if (!prompt.trim()) return this.#withoutPrompt(args.model, flags)
    return this.answer({model: args.model, prompt, ...asked}, flags)
  }

  async #withoutPrompt(model: string, flags: object): Promise<RunResult> {
    if (isatty(0) && !this.jsonEnabled()) {
      const {chatHere} = await import('../lib/cli/chat/chat-here.ts')
      await chatHere(this.tools(flags), {model, flags, signal: this.signal, drawn: this.drawn})
      return this.exit(0)
    }
    throw new OllamaxError('BAD_INPUT', 'the prompt is empty', {
      suggestions: [`ollamax run ${model} "why is the sky blue?"`, 'or pipe it in'],
    })
  }
}
