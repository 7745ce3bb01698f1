import {Flags} from '@oclif/core'
import {artifactFlags, nodesArg} from '../../lib/cli/flags.ts'
import {RollCommand, rollFlags} from '../../lib/cli/roll-command.ts'
import type {UpgradedNodes} from '../../lib/jobs/upgrade-nodes.ts'

export interface NodeUpgradeResult extends UpgradedNodes {}

export default class NodeUpgrade extends RollCommand {
  static override summary = 'give nodes another version of Ollama, without failing a request'
  static override description =
    'One node first (the canary), then the others in waves. What is needed is brought while a node works; then it is drained, and changed when no request runs there any more. It takes requests again when it answers with the wanted version, and not much slower than before. A bad wave is rolled back, and none comes after it.'
  static override examples = [
    '<%= config.bin %> node upgrade --version 0.34.0',
    '<%= config.bin %> node upgrade --label tier=fast --canary gpu-1 --waves 2 --yes',
    '<%= config.bin %> node upgrade gpu-1 --artifact ollama-linux-amd64.tar.zst',
  ]
  static override args = {nodes: nodesArg()}
  static override flags = {
    version: Flags.string({
      summary: 'version to have; default: that of the archive, or the latest release',
      helpValue: '0.34.0',
    }),
    ...artifactFlags(),
    ...rollFlags(),
  }

  async run(): Promise<NodeUpgradeResult> {
    const {args, flags} = await this.parse(NodeUpgrade)
    const {readVersion} = await import('../../lib/cli/add-input.ts')
    return this.roll(args.nodes ?? [], flags, {
      to: {kind: 'version', version: readVersion(flags.version, 'version')},
      artifact: flags.artifact,
      artifactSha256: flags['artifact-sha256']?.toLowerCase(),
    })
  }
}
