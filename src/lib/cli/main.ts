import {join} from 'node:path'
import type {Command} from '@oclif/core'
import {OllamaxError} from '../errors.ts'
import {printError} from './print-error.ts'

declare const OLLAMAX_VERSION: string
declare const OLLAMAX_COMMANDS: readonly string[]

/**
 * The process's entry. A known command without --help runs with a hand-made oclif configuration
 * (oclif's own costs more than the command, docs/design/0001-startup.md), and its help likewise; the
 * rest goes to oclif.
 */
export async function main(): Promise<void> {
  const argv = flagsBehind(process.argv.slice(2))
  process.on('uncaughtException', endBadly)
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-v')) {
    process.stdout.write(
      `ollamax/${OLLAMAX_VERSION} ${process.platform}-${process.arch} node-${process.version}\n`,
    )
    return
  }
  try {
    if (argv[0] === 'complete') return await answerShell(process.argv.slice(3))
    const found = findCommand(argv)
    if (found && !wantsHelp(found.rest)) await runDirectly(found.id, found.rest)
    else if (found && !hasTopic(found.id)) await heard(() => showCommandHelp(found.id))
    else if (found || isTopic(argv) || wantsHelp(argv) || argv[0] === 'help')
      await heard(() => showHelp(argv))
    else throw await unknownCommand(argv)
  } catch (error) {
    process.exitCode = printError(error, wantsJson(argv))
  }
}

/**
 * What nobody caught, most likely a standard output that takes no more (a full disk). Node itself would
 * print the line of the program where it happened, and ours are as long as the program.
 */
function endBadly(error: unknown): void {
  const {syscall, code} = error as NodeJS.ErrnoException
  const full =
    syscall === 'write'
      ? new OllamaxError('STATE_IO', `the output cannot be written: ${code}`)
      : undefined
  process.exit(printError(full ?? error))
}

/** oclif prints by the console, which keeps quiet about an output that cannot be written. */
async function heard(print: () => Promise<void>): Promise<void> {
  // oclif does not know of our themes.
  if (process.env.OLLAMAX_THEME === 'none') process.env.NO_COLOR ||= '1'
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever has read enough of a help is content.
    if (error.code !== 'EPIPE') endBadly(error)
  })
  await print()
}

const root = () => join(__dirname, '../../..')

/**
 * What every command takes may also stand before it or between its words, as `--cluster lab node list`: it
 * is put behind them. Other flags cannot: only the command knows whether one of its flags takes a value.
 */
function flagsBehind(argv: readonly string[]): string[] {
  const flags: string[] = []
  const words: string[] = []
  let at = 0
  for (; at < argv.length; at++) {
    const word = argv[at] ?? ''
    if (word === '--json' || word.startsWith('--cluster=')) flags.push(word)
    else if (word === '--cluster') flags.push(...argv.slice(at, ++at + 1))
    else if (word.startsWith('-')) break
    else words.push(word)
  }
  return [...words, ...flags, ...argv.slice(at)]
}

/** The longest leading words that name a command: `node add x` is `node:add` with `x` left. */
function findCommand(argv: readonly string[]): {id: string; rest: string[]} | undefined {
  for (let words = Math.min(3, argv.length); words > 0; words--) {
    const id = argv.slice(0, words).join(':')
    if (OLLAMAX_COMMANDS.includes(id)) return {id, rest: argv.slice(words)}
  }
  return undefined
}

/** After `--` nothing is a flag. */
function wantsHelp(rest: readonly string[]): boolean {
  const end = rest.indexOf('--')
  return (end < 0 ? rest : rest.slice(0, end)).some((word) => word === '--help' || word === '-h')
}

/** A command prints its own errors as JSON; this is for what ends before there is a command. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return findCommand(argv) === undefined && (end < 0 ? argv : argv.slice(0, end)).includes('--json')
}

/** True for no word at all and for the first word of commands like `node add`. */
function isTopic(argv: readonly string[]): boolean {
  const topic = argv.join(':')
  return topic === '' || OLLAMAX_COMMANDS.some((id) => id.startsWith(`${topic}:`))
}

/** `help node add`, `node add -h` and `node` alone are all oclif's `node add --help`. */
async function showHelp(argv: readonly string[]): Promise<void> {
  const {runOclif} = await import('./help.ts')
  const words = argv.filter(
    (word, i) => word !== '-h' && word !== '--help' && !(i === 0 && word === 'help'),
  )
  await runOclif([...words, '--help'], root())
}

const hasTopic = (id: string): boolean => OLLAMAX_COMMANDS.some((it) => it.startsWith(`${id}:`))

async function showCommandHelp(id: string): Promise<void> {
  const {printCommandHelp} = await import('./command-help.ts')
  await printCommandHelp(id, lightConfig(), root())
}

async function unknownCommand(argv: readonly string[]): Promise<Error> {
  const {nearest} = await import('../cluster/nearest.ts')
  const names = OLLAMAX_COMMANDS.map((id) => id.replaceAll(':', ' '))
  // A flag ends the words that could have named a command.
  const flag = argv.findIndex((word) => word.startsWith('-'))
  const typed = (flag < 0 ? argv : argv.slice(0, flag)).slice(0, 2)
  const hit = nearest(typed.join(' '), names) ?? nearest(typed[0] ?? '', names)
  return new OllamaxError(
    'BAD_INPUT',
    `"${typed.join(' ') || argv[0]}" is not a command of ollamax`,
    {
      suggestions: [...(hit ? [`ollamax ${hit}`] : []), 'ollamax --help lists them all'],
    },
  )
}

/** For the scripts of `completion` alone, at each press of the Tab key: not a command, so that oclif is not loaded. */
async function answerShell(argv: readonly string[]): Promise<void> {
  const {complete} = await import('./complete/complete.ts')
  await complete(argv, root())
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
    topics: [],
    findCommand: () => undefined,
    runHook: async () => ({successes: [], failures: []}),
    scopedEnvVar: (name: string) => process.env[key(name)],
    scopedEnvVarKey: key,
    scopedEnvVarKeys: (name: string) => [key(name)],
  }
}
