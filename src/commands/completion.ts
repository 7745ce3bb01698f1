import {basename} from 'node:path'
import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {SCRIPTS, SHELLS, type Shell} from '../lib/cli/complete/scripts.ts'
import {OllamaxError} from '../lib/errors.ts'

export interface CompletionResult {
  readonly shell: 'bash' | 'zsh' | 'fish'
  /** The script; null with --install and --uninstall. */
  readonly script: string | null
  /** Files that were written, changed or removed. */
  readonly changed: readonly string[]
}

export default class Completion extends BaseCommand {
  static override summary = 'have the shell complete commands, flags, nodes, models and clusters'
  static override description =
    `Prints the script for a shell: load it from where the shell starts, or have --install do that (bash: a file of the package bash-completion and a line in ~/.bashrc; zsh: a file and a line in ~/.zshrc; fish: a file that it finds by itself).
Names of nodes, models, labels and keys come from the cluster file and from what commands saw before; nothing is asked over the network.`
  static override examples = [
    '<%= config.bin %> completion --install',
    'source <(<%= config.bin %> completion bash)',
    '<%= config.bin %> completion fish > ~/.config/fish/completions/ollamax.fish',
    '<%= config.bin %> completion zsh --uninstall',
  ]
  static override args = {
    shell: Args.string({options: [...SHELLS], description: 'default: the one in $SHELL'}),
  }
  static override flags = {
    install: Flags.boolean({
      summary: 'write it to where this shell finds it, for this user',
      exclusive: ['uninstall'],
    }),
    uninstall: Flags.boolean({summary: 'take away what --install wrote'}),
  }

  async run(): Promise<CompletionResult> {
    const {args, flags} = await this.parse(Completion)
    const shell = shellOf(args.shell)
    if (!flags.install && !flags.uninstall) {
      if (!this.jsonEnabled()) process.stdout.write(SCRIPTS[shell])
      return {shell, script: SCRIPTS[shell], changed: []}
    }
    const jobs = await import('../lib/jobs/install-completion.ts')
    const places = jobs.completionPlaces(this.tools(flags), shell)
    const changed = flags.install
      ? await jobs.installCompletion(places, SCRIPTS[shell])
      : await jobs.uninstallCompletion(places)
    for (const file of changed)
      this.say(`${flags.install ? 'wrote' : 'changed or removed'} ${file}`)
    if (changed.length === 0)
      this.say(flags.install ? 'everything is there already' : 'nothing was installed')
    else this.note(`It holds for each ${shell} that starts from now on.`)
    return {shell, script: null, changed}
  }
}

function shellOf(named: string | undefined): Shell {
  const name = named ?? basename(process.env.SHELL ?? '')
  const shell = SHELLS.find((one) => one === name)
  if (shell) return shell
  throw new OllamaxError(
    'BAD_INPUT',
    `there is no completion for "${name || 'an unknown shell'}"`,
    {
      suggestions: SHELLS.map((one) => `ollamax completion ${one}`),
    },
  )
}
