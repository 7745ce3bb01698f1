import {Args} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {yesFlag} from '../../lib/cli/flags.ts'
import type {ShownKey} from '../../lib/jobs/change-keys.ts'

export interface KeyRevokeResult {
  /** As it was. */
  readonly key: ShownKey
}

export default class KeyRevoke extends BaseCommand {
  static override summary = 'end a key for good'
  static override examples = [
    '<%= config.bin %> key revoke alice',
    '<%= config.bin %> key revoke 9f2c01d37b5e --yes',
  ]
  static override args = {
    key: Args.string({description: 'its name or its id', required: true}),
  }
  static override flags = {yes: yesFlag()}

  async run(): Promise<KeyRevokeResult> {
    const {args, flags} = await this.parse(KeyRevoke)
    const {revokeKey} = await import('../../lib/jobs/change-keys.ts')
    const key = await revokeKey(this.tools(flags), {key: args.key, yes: flags.yes})
    this.say(`revoked ${key.name} (${key.id})`)
    return {key}
  }
}
