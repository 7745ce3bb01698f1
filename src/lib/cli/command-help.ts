import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import type {Command, Config} from '@oclif/core'
import {Help} from '@oclif/core/help'

/**
 * Prints the help of one command from the manifest. oclif's own way there loads the configuration and
 * every command first, which takes longer than all the rest.
 */
export async function printCommandHelp(id: string, config: unknown, root: string): Promise<void> {
  const manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as {
    readonly commands: Readonly<Record<string, Command.Loadable>>
  }
  const command = manifest.commands[id]
  if (!command) throw new Error(`the manifest has no command ${id}: run "npm run docs"`)
  await new Help(config as Config).showCommandHelp(command)
}
