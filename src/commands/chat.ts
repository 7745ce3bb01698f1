import {Args, Flags} from '@oclif/core'
import {answerFlags, routeFlags} from '../lib/cli/answer-flags.ts'
import {BaseCommand} from '../lib/cli/base-command.ts'

/** The conversation, without what was cancelled or failed. */
export interface ChatResult {
  readonly model: string
  readonly system?: string
  readonly options: Readonly<Record<string, unknown>>
  readonly messages: ReadonlyArray<{readonly role: string; readonly content: string}>
}

export default class Chat extends BaseCommand {
  static override summary = 'talk with a model'
  static override description =
    'At a terminal answers are shown as Markdown while they come; /help lists commands and keys. With --plain, and from a pipe, it goes line by line: begin a text of several lines with """ and end it the same way.'
  static override examples = [
    '<%= config.bin %> chat llama3.2 --system "answer in one sentence"',
    '<%= config.bin %> chat --load ideas',
    'printf "hi\\nwhat did I say?\\n" | <%= config.bin %> chat llama3.2',
  ]
  static override args = {
    model: Args.string({description: 'name of the model; default: the preference default-model'}),
  }
  static override flags = {
    ...answerFlags(),
    ...routeFlags(),
    load: Flags.string({
      summary: 'continue a conversation that was saved, by its name or its file',
      helpValue: 'NAME',
    }),
    plain: Flags.boolean({summary: 'line by line also at a terminal, as a screen reader wants it'}),
    history: Flags.boolean({
      summary: 'keep what is said for the arrow keys of later chats',
      default: true,
      allowNo: true,
    }),
  }

  async run(): Promise<ChatResult> {
    const {args, flags} = await this.parse(Chat)
    const {chatHere} = await import('../lib/cli/chat/chat-here.ts')
    return chatHere(this.tools(flags), {
      model: args.model,
      flags,
      signal: this.signal,
      json: this.jsonEnabled(),
      drawn: this.drawn,
    })
  }
}
