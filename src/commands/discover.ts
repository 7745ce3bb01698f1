import {Flags} from '@oclif/core'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {progressFlag, yesFlag} from '../lib/cli/flags.ts'
import type {Discovered} from '../lib/jobs/discover-nodes.ts'

export interface DiscoverResult extends Discovered {}

export default class Discover extends BaseCommand {
  static override summary = 'look for machines on the LAN that could be nodes, and add none'
  static override description =
    'Asks by multicast DNS who announces SSH or Ollama. Ranges of addresses are probed only when they are given, after a question: one connection to the port of SSH, to hear its greeting, and one question for the version of Ollama.'
  static override examples = [
    '<%= config.bin %> discover',
    '<%= config.bin %> discover --range 10.0.0.0/24 --yes',
    '<%= config.bin %> discover --no-mdns --range 10.0.0.10-10.0.0.20 --ssh-port 2222',
  ]
  static override flags = {
    mdns: Flags.boolean({summary: 'ask by multicast DNS', default: true, allowNo: true}),
    interface: Flags.string({
      summary: 'address of the interface to ask on',
      helpValue: 'ADDRESS',
    }),
    listen: Flags.string({
      summary: 'how long to listen for answers to multicast DNS',
      helpValue: '3s',
      default: '3s',
    }),
    range: Flags.string({
      summary: 'addresses to probe: 10.0.0.0/24 or 10.0.0.10-10.0.0.20',
      helpValue: 'RANGE',
      multiple: true,
      multipleNonGreedy: true,
      default: [],
      noCacheDefault: true,
    }),
    'ssh-port': Flags.integer({summary: 'port of SSH', default: 22, min: 1, max: 65_535}),
    'ollama-port': Flags.integer({summary: 'port of Ollama', default: 11_434, min: 1, max: 65_535}),
    'max-hosts': Flags.integer({
      summary: 'probe no more addresses than this',
      default: 1024,
      min: 1,
      max: 65_536,
    }),
    rate: Flags.integer({
      summary: 'new connections per second',
      default: 200,
      min: 1,
      max: 5000,
    }),
    timeout: Flags.string({
      summary: 'longest time to wait for one answer',
      helpValue: '1s',
      default: '1s',
    }),
    yes: yesFlag(),
    progress: progressFlag(),
  }

  async run(): Promise<DiscoverResult> {
    const {flags} = await this.parse(Discover)
    const [{discoverNodes}, {parseDuration}, {describeDiscovered}] = await Promise.all([
      import('../lib/jobs/discover-nodes.ts'),
      import('../lib/cluster/size.ts'),
      import('../lib/cli/describe-discovered.ts'),
    ])
    const tools = this.tools(flags)
    const result = await this.withProgress(flags.progress, (report) =>
      discoverNodes(tools, {
        listenMs: flags.mdns ? parseDuration(flags.listen) : 0,
        interface: flags.interface,
        ranges: flags.range,
        sshPort: flags['ssh-port'],
        ollamaPort: flags['ollama-port'],
        maxHosts: flags['max-hosts'],
        perSecond: flags.rate,
        timeoutMs: parseDuration(flags.timeout),
        yes: flags.yes,
        report,
      }),
    )
    if (result.machines.length > 0) this.say(await describeDiscovered(result.machines))
    else this.note('nothing answered; probe a range with --range 10.0.0.0/24')
    return result
  }
}
