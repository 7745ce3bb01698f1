import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {artifactFlags, progressFlag} from '../../lib/cli/flags.ts'
import type {AddedNodes} from '../../lib/jobs/add-node.ts'

export type NodeAddResult = AddedNodes

export default class NodeAdd extends BaseCommand {
  static override summary = 'turn machines into nodes of the cluster'
  static override description =
    `A target is user@host[:port] or an alias of ssh_config (Ollama is installed if it is missing, and stays on that machine's loopback), http:// or https:// (an Ollama that runs already), local, or embedded.`
  static override examples = [
    '<%= config.bin %> node add ubuntu@10.0.0.7 --name gpu-1 --label tier=fast',
    '<%= config.bin %> node add gpu-1 gpu-2 gpu-3 --artifact ollama-linux-amd64.tar.zst',
    "<%= config.bin %> node add https://ollama.example.com --header 'Authorization=env:OLLAMA_TOKEN'",
    '<%= config.bin %> node add ubuntu@10.0.0.7 --dry-run',
  ]
  static override strict = false
  static override args = {target: Args.string({description: 'one or several machines'})}
  static override flags = {
    file: Flags.string({summary: 'file with one target a line, or a YAML list', helpValue: 'FILE'}),
    name: Flags.string({summary: 'name of the node, for a single target'}),
    label: Flags.string({
      summary: 'label to choose nodes by',
      helpValue: 'K=V',
      multiple: true,
      multipleNonGreedy: true,
    }),
    'ollama-version': Flags.string({
      summary: 'version of Ollama to have there',
      helpValue: '0.33.0',
    }),
    ...artifactFlags(),
    env: Flags.string({
      summary: 'variable for the service',
      helpValue: 'K=V',
      multiple: true,
      multipleNonGreedy: true,
    }),
    port: Flags.integer({summary: 'loopback port of Ollama there', min: 1, max: 65_535}),
    install: Flags.boolean({
      summary: 'install Ollama if it is missing',
      default: true,
      allowNo: true,
    }),
    'user-mode': Flags.boolean({summary: 'install below the login account, without root'}),
    'accept-host-key': Flags.boolean({summary: 'take the key of an unknown host without asking'}),
    'host-key': Flags.string({
      summary: 'fingerprint that the host must show',
      helpValue: 'SHA256:...',
      exclusive: ['accept-host-key'],
    }),
    'sudo-password-stdin': Flags.boolean({summary: 'read the password for sudo from stdin'}),
    header: Flags.string({
      summary: 'header for an http(s) target; a secret as env:NAME or file:PATH',
      helpValue: 'K=V',
      multiple: true,
      multipleNonGreedy: true,
    }),
    ca: Flags.string({summary: 'PEM file with the CA of an https target', helpValue: 'FILE'}),
    concurrency: Flags.integer({summary: 'hosts at once', default: 10, min: 1, max: 100}),
    'dry-run': Flags.boolean({summary: 'print what would be done, and do nothing'}),
    yes: Flags.boolean({
      char: 'y',
      summary: 'do not ask before the Ollama that someone else installed there is changed',
    }),
    progress: progressFlag(),
  }

  async run(): Promise<NodeAddResult> {
    const {argv, flags} = await this.parse(NodeAdd)
    const input = await import('../../lib/cli/add-input.ts')
    const {addNodes} = await import('../../lib/jobs/add-node.ts')
    const options = await input.readAddFlags(argv as string[], flags)
    const tools = this.tools(flags)
    const result = await this.withProgress(flags.progress, (report) =>
      addNodes(tools, {...options, report}),
    )
    const failure = input.failureOf(result)
    this.say(await input.describeAdded(result))
    if (failure) throw failure
    return result
  }
}
