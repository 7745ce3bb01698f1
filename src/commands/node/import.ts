import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import type {ImportedInventory} from '../../lib/jobs/import-inventory.ts'

export interface NodeImportResult extends ImportedInventory {}

export default class NodeImport extends BaseCommand {
  static override summary =
    'add the machines of an inventory to the cluster file, without touching them'
  static override description =
    'Reads an ssh_config (each Host that is no pattern), an Ansible inventory (INI or YAML; groups become labels GROUP=true) or a CSV table with a header (name, ssh or host, user, port, labels as k=v;k=v, label.NAME). Host ranges like web[01:10] are understood.'
  static override examples = [
    "<%= config.bin %> node import --host 'gpu-*' --dry-run",
    '<%= config.bin %> node import hosts.ini --label site=berlin',
    '<%= config.bin %> node import machines.csv',
  ]
  static override args = {
    file: Args.string({description: 'the inventory; default: your ssh_config'}),
  }
  static override flags = {
    format: Flags.option({
      options: ['ssh-config', 'ansible', 'csv'] as const,
      summary: 'what the file is; default: as its name and text say',
    })(),
    host: Flags.string({
      summary: 'only machines whose name fits this glob',
      helpValue: 'GLOB',
      multiple: true,
      multipleNonGreedy: true,
      default: [],
      noCacheDefault: true,
    }),
    label: Flags.string({
      summary: 'label for all of them',
      helpValue: 'K=V',
      multiple: true,
      multipleNonGreedy: true,
    }),
    'dry-run': Flags.boolean({summary: 'show what would be added, and change nothing'}),
  }

  async run(): Promise<NodeImportResult> {
    const {args, flags} = await this.parse(NodeImport)
    const [{importInventory}, {readLabels}, {describeImported, importFailure}] = await Promise.all([
      import('../../lib/jobs/import-inventory.ts'),
      import('../../lib/cli/add-input.ts'),
      import('../../lib/cli/describe-imported.ts'),
    ])
    const result = await importInventory(this.tools(flags), {
      file: args.file,
      format: flags.format,
      hosts: flags.host,
      labels: readLabels(flags.label ?? []),
      dryRun: flags['dry-run'],
    })
    this.say(await describeImported(result.nodes))
    for (const text of result.notes) this.note(text)
    const failure = importFailure(result)
    if (failure) throw failure
    if (result.nodes.some((node) => node.outcome === 'added'))
      this.note('no machine was touched; have Ollama on them: ollamax node add TARGET')
    return result
  }
}
