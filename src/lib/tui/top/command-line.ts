import {nearest} from '../../cluster/nearest.ts'
import {nodesOf} from './fleet.ts'
import {columnsOf} from './listing.ts'
import {modelsOf} from './lists/models.ts'
import {isView, placeIn, type TopState, VIEWS} from './state.ts'

/** What a word after a command names. */
type Argument = 'node' | 'model' | 'column'

/** A command of the `:` line. */
export interface TopCommand {
  readonly name: string
  readonly args: readonly Argument[]
  readonly about: string
}

/** Every command, once: the `:` line, its completion, the help and docs/top-keys.md are all made of this. */
export const COMMANDS: readonly TopCommand[] = [
  {name: 'overview', args: [], about: 'the fleet as a whole'},
  {name: 'nodes', args: [], about: 'all nodes'},
  {name: 'models', args: [], about: 'all models: replicas, where they are loaded, digest drift'},
  {name: 'requests', args: [], about: 'requests under way and the last that ended'},
  {name: 'events', args: [], about: 'what happened to the fleet'},
  {name: 'node', args: ['node'], about: 'one node'},
  {name: 'model', args: ['model'], about: 'one model'},
  {name: 'logs', args: ['node'], about: 'follow the log of a node'},
  {name: 'drain', args: ['node'], about: 'no new request goes there; asks'},
  {name: 'undrain', args: ['node'], about: 'let requests go there again'},
  {name: 'restart', args: ['node'], about: 'restart Ollama there; asks'},
  {name: 'shell', args: ['node'], about: 'a shell there'},
  {name: 'pull', args: ['model', 'node'], about: 'pull a model to a node'},
  {
    name: 'sort',
    args: ['column'],
    about: 'sort by a column; the same again turns the order around',
  },
  {name: 'help', args: [], about: 'keys and commands'},
  {name: 'quit', args: [], about: 'leave'},
]

/** A command line as it is meant, or what is wrong with it. */
export type Parsed =
  | {readonly command: TopCommand; readonly args: readonly string[]}
  | {readonly problem: string}

/** A name may be cut short as long as one command alone begins so; the first in the table wins over longer ones. */
export function parseCommand(line: string): Parsed {
  const [word = '', ...args] = line.trim().split(/\s+/)
  const command =
    COMMANDS.find(({name}) => name === word) ?? COMMANDS.find(({name}) => name.startsWith(word))
  if (!command || word === '') {
    const near = nearest(
      word,
      COMMANDS.map(({name}) => name),
    )
    return {problem: `no command ":${word}"${near ? `; did you mean :${near}?` : '; ? lists them'}`}
  }
  if (args.length > command.args.length) return {problem: `too many words: ${usageOf(command)}`}
  return {command, args}
}

/** `:pull MODEL NODE`. */
export const usageOf = ({name, args}: TopCommand): string =>
  [`:${name}`, ...args.map((arg) => arg.toUpperCase())].join(' ')

/** The whole lines that a line could become. */
export function completions(state: TopState, line: string): readonly string[] {
  const words = line.trimStart().split(/\s+/)
  const last = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const among = before.length === 0 ? COMMANDS.map(({name}) => name) : valuesAt(state, before)
  return among
    .filter((word) => word.toLowerCase().startsWith(last.toLowerCase()))
    .map((word) => [...before, word].join(' '))
}

function valuesAt(state: TopState, before: readonly string[]): readonly string[] {
  const parsed = parseCommand(before[0] ?? '')
  const argument = 'command' in parsed ? parsed.command.args[before.length - 1] : undefined
  return argument === undefined ? [] : valuesOf(state, argument)
}

export function valuesOf(state: TopState, argument: Argument): readonly string[] {
  if (argument === 'node') return nodesOf(state.fleet).map(({name}) => name)
  if (argument === 'model') return modelsOf(nodesOf(state.fleet)).map(({name}) => name)
  const {kind} = placeIn(state)
  return isView(kind) ? columnsOf(kind).map(({id}) => id) : []
}

/** What would help beside a name that is not there. */
export function unknownName(state: TopState, argument: Argument, name: string): string {
  const near = nearest(name, valuesOf(state, argument))
  return `no ${argument} "${name}" here${near ? `; did you mean ${near}?` : ''}`
}

export const viewNamed = (name: string) => VIEWS.find((view) => view === name)
