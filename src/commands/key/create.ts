import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {PRIORITIES} from '../../lib/cluster/priority.ts'
import {parseRate} from '../../lib/cluster/rate.ts'
import {parseDuration} from '../../lib/cluster/size.ts'
import type {ShownKey} from '../../lib/jobs/change-keys.ts'

export interface KeyCreateResult {
  readonly key: ShownKey
  /** Shown this once and kept nowhere; null: an ssh key, which has none. */
  readonly token: string | null
}

export default class KeyCreate extends BaseCommand {
  static override summary = 'let somebody use the gateway: print a new token, or enrol an ssh key'
  static override description =
    `The token is written to standard output alone, this once: only its hash is kept. Clients send it as "Authorization: Bearer TOKEN" or "x-api-key: TOKEN"; the ollama command, which can send neither, by OLLAMA_HOST=http://GATEWAY/t/TOKEN. With --ssh-key there is no token: the ollama command signs with ~/.ollama/id_ed25519 where OLLAMA_AUTH=1 is set.

In --model, * and ? do not cross a /: "*" is every model of Ollama's library, "hf.co/me/*" every one of an account elsewhere.`
  static override examples = [
    '<%= config.bin %> key create alice --expires 30d --rate 60/m',
    '<%= config.bin %> key create ci --model llama3.2 --model "qwen3:*" --priority low > token',
    '<%= config.bin %> key create bob --ssh-key bob.pub',
    '<%= config.bin %> key create ops --admin',
  ]
  static override args = {
    name: Args.string({description: 'its name, unique in the cluster', required: true}),
  }
  static override flags = {
    expires: Flags.string({
      summary: 'how long it is good; default: until revoked',
      helpValue: '30d',
    }),
    model: Flags.string({
      summary: 'model that it may use, a name or a glob; default: all',
      helpValue: 'GLOB',
      multiple: true,
      multipleNonGreedy: true,
      default: [],
    }),
    rate: Flags.string({summary: 'most requests, per s, m, h or d', helpValue: '60/m'}),
    priority: Flags.option({
      options: PRIORITIES,
      summary: 'who goes first when requests wait; default normal',
    })(),
    weight: Flags.integer({
      summary: 'share beside the other keys when requests wait; default 1',
      min: 1,
      max: 1000,
    }),
    continue: Flags.boolean({
      summary: 'an answer that is cut off on one node may go on from another',
    }),
    admin: Flags.boolean({
      summary:
        'it may also see how the gateway decides, its nodes and their errors, and end requests',
    }),
    'ssh-key': Flags.string({
      summary: 'public key that the ollama command signs with; `-`: from stdin',
      helpValue: 'FILE',
    }),
  }

  async run(): Promise<KeyCreateResult> {
    const {args, flags} = await this.parse(KeyCreate)
    const file = flags['ssh-key']
    const [{createKey}, {readPublicKey}] = await Promise.all([
      import('../../lib/jobs/change-keys.ts'),
      import('../../lib/cli/read-public-key.ts'),
    ])
    const {key, token} = await createKey(this.tools(flags), {
      name: args.name,
      lifeMs: flags.expires === undefined ? undefined : parseDuration(flags.expires),
      models: flags.model,
      ratePerMinute: flags.rate === undefined ? undefined : parseRate(flags.rate),
      priority: flags.priority,
      weight: flags.weight,
      allowContinue: flags.continue,
      admin: flags.admin,
      sshKey: file === undefined ? undefined : await readPublicKey(file, this.signal),
    })
    if (token !== null) {
      this.say(token)
      this.note(`key ${key.name} (${key.id}): the token is shown this once and kept nowhere`)
    } else {
      this.say(`enrolled ${key.name} (${key.id}): ${key.fingerprint}`)
      this.note('the ollama command signs with that key where OLLAMA_AUTH=1 is set')
    }
    return {key, token}
  }
}
