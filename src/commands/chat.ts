import {Args} from '@oclif/core'
import {answerFlags, routeFlags} from '../lib/cli/answer-flags.ts'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {defaultModel} from '../lib/jobs/config-settings.ts'

/** The conversation, without what was cancelled or failed. */
export interface ChatResult {
  readonly model: string
  readonly system?: string
  readonly options: Readonly<Record<string, unknown>>
  readonly messages: ReadonlyArray<{readonly role: string; readonly content: string}>
}

export default class Chat extends BaseCommand {
  static override summary = 'talk with a model, line by line'
  static override description =
    'Begin a text of several lines with """ and end it the same way. /help lists what else can be done. From a pipe each line is said in turn.'
  static override examples = [
    '<%= config.bin %> chat llama3.2 --system "answer in one sentence"',
    'printf "hi\\nwhat did I say?\\n" | <%= config.bin %> chat llama3.2',
  ]
  static override args = {
    model: Args.string({description: 'name of the model; default: the preference default-model'}),
  }
  static override flags = {...answerFlags(), ...routeFlags()}

  async run(): Promise<ChatResult> {
    const {args, flags} = await this.parse(Chat)
    const {chatHere} = await import('../lib/cli/line-chat.ts')
    return chatHere(this.tools(flags), {
      model: args.model ?? defaultModel(this.tools(flags)),
      flags,
      signal: this.signal,
      json: this.jsonEnabled(),
      drawn: this.drawn,
    })
  }
}
