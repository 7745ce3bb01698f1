import {join} from 'node:path'
import type {Command} from '@oclif/core'
import {printError} from './print-error.ts'

declare const OLLAMAX_VERSION: string
declare const OLLAMAX_COMMANDS: readonly string[]

/**
 * The process's entry. A known command without --help runs with a hand-made oclif configuration
 * (oclif's own costs more than the command, docs/design/0001-startup.md); the rest goes to oclif.
 */
export async function main(): Promise<void> {
  const argv = process.argv.slice(2)
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-v')) {
    process.stdout.write(
      `ollamax/${OLLAMAX_VERSION} ${process.platform}-${process.arch} node-${process.version}\n`,
    )
    return
  }
  try {
    const found = findCommand(argv)
    if (found && !wantsHelp(found.rest)) await runDirectly(found.id, found.rest)
    else {
      const {runOclif} = await import('./help.ts')
      await runOclif(argv, root())
    }
  } catch (error) {
    process.exitCode = printError(error)
  }
}

const root = () => join(__dirname, '../../..')

/** The longest leading words that name a command: `node add x` is `node:add` with `x` left. */
function findCommand(argv: readonly string[]): {id: string; rest: string[]} | undefined {
  for (let words = Math.min(3, argv.length); words > 0; words--) {
    const id = argv.slice(0, words).join(':')
    if (OLLAMAX_COMMANDS.includes(id)) return {id, rest: argv.slice(words)}
  }
  return undefined
}

/** `-h` is not listed: a command may use the letter. After `--` nothing is a flag. */
function wantsHelp(rest: readonly string[]): boolean {
  const end = rest.indexOf('--')
  return (end < 0 ? rest : rest.slice(0, end)).includes('--help')
}

async function runDirectly(id: string, argv: string[]): Promise<void> {
  // A computed path on purpose: each command is a file of its own, and only this one is loaded.
  const file = join(__dirname, '../../commands', `${id.replaceAll(':', '/')}.cjs`)
  const {default: Class} = require(file) as {
    default: (new (a: string[], c: unknown) => Command) & {id: string}
  }
  Class.id = id
  const command = new Class(argv, lightConfig()) as unknown as {_run(): Promise<unknown>}
  await command._run()
}

/** What oclif's Command and parser read of its Config while a command runs. */
function lightConfig() {
  const key = (name: string) => `OLLAMAX_${name}`
  return {
    bin: 'ollamax',
    name: 'ollamax',
    version: OLLAMAX_VERSION,
    userAgent: `ollamax/${OLLAMAX_VERSION}`,
    root: root(),
    topicSeparator: ' ',
    pjson: {oclif: {}},
    plugins: new Map(),
    commandIDs: [],
    commands: [],
    runHook: async () => ({successes: [], failures: []}),
    scopedEnvVar: (name: string) => process.env[key(name)],
    scopedEnvVarKey: key,
    scopedEnvVarKeys: (name: string) => [key(name)],
  }
}
