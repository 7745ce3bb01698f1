import {Flags} from '@oclif/core'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {showTop} from '../lib/cli/top-screen.ts'
import type {LiveFrame} from '../lib/cluster/live.ts'

/** What is known after the first look. */
export interface TopResult extends LiveFrame {}

const VIEWS = ['overview', 'nodes', 'models', 'requests', 'events'] as const

export default class Top extends BaseCommand {
  static override summary = 'watch the fleet live and act on it'
  static override description =
    'Shows what the gateway in front of the cluster sees, where one runs, else what the nodes say themselves. ? lists the keys (docs/top.md). Needs a terminal of 60x15 at least; --plain needs none. With --json, prints what is known after the first look and ends.'
  static override examples = [
    '<%= config.bin %> top',
    '<%= config.bin %> top --view nodes --theme light',
    '<%= config.bin %> top --plain',
  ]
  static override flags = {
    view: Flags.option({options: VIEWS, summary: 'what is shown first', default: 'overview'})(),
    theme: Flags.option({
      options: ['auto', 'dark', 'light'],
      summary: "the terminal's ground; auto: as the preference theme or the terminal says",
      default: 'auto',
    })(),
    plain: Flags.boolean({
      aliases: ['screen-reader'],
      summary: 'append a line for each change and draw nothing; also --screen-reader',
      exclusive: ['json'],
    }),
  }

  #tell: ((text: string) => void) | undefined

  async run(): Promise<TopResult> {
    const {flags} = await this.parse(Top)
    // Nobody can be asked while the whole terminal is in use.
    const tools = this.tools({...flags, asks: false})
    return showTop(tools, {
      ...flags,
      mode: this.jsonEnabled() ? 'once' : flags.plain ? 'plain' : 'drawn',
      onTell: (tell) => {
        this.#tell = tell
      },
    })
  }

  /** A note on stderr would stand in the middle of what is drawn. */
  override note(text: string): void {
    if (this.#tell) this.#tell(text)
    else super.note(text)
  }
}
