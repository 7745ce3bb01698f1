import type {Manifest, ManifestCommand, ManifestFlag} from './manifest.ts'
import {argSource, flagSource, type Source} from './sources.ts'

/** One way to go on, and what it means. */
export interface Choice {
  readonly value: string
  readonly about?: string
}

/** What the word at the cursor may become. */
export interface Expected {
  /** Those that the program itself knows. */
  readonly choices: readonly Choice[]
  /** Where more come from. */
  readonly source: Source
  /** The part of the word that stays as it is: `--node=` of `--node=gp`, `a,` of `a,b`. */
  readonly kept: string
  /** Values that stand there already and need not be offered again. */
  readonly given: readonly string[]
  /** The cluster that is named on the line. */
  readonly cluster: string | undefined
}

/** The words before the one at the cursor, as far as they are understood. */
interface Read {
  /** Words that are no flags, without those that name the command. */
  readonly words: string[]
  readonly flags: Set<string>
  /** The flag whose value is at the cursor. */
  readonly waiting: ManifestFlag | undefined
  /** After `--` nothing is a flag. */
  readonly ended: boolean
  readonly cluster: string | undefined
}

/** What can stand at the cursor, which is at the end of the last word; the first one follows the program's name. */
export function expectedAt(manifest: Manifest, line: readonly string[]): Expected {
  const word = line.at(-1) ?? ''
  const before = line.slice(0, -1)
  const {id, rest, cluster} = commandOf(manifest, before)
  if (id === undefined) return {...words(manifest, before), cluster}
  const command = manifest.commands[id] ?? {args: {}, flags: {}}
  const read = readWords(command, rest, cluster)
  const expected = within(id, command, read, word)
  // `cluster` alone may be a command and the first word of others.
  const deeper = read.words.length === 0 && rest.length === 0 ? words(manifest, before).choices : []
  return {...expected, choices: [...deeper, ...expected.choices], cluster: read.cluster}
}

const NOTHING = {choices: [], source: 'free', kept: '', given: []} as const

function within(
  id: string,
  command: ManifestCommand,
  read: Read,
  word: string,
): Omit<Expected, 'cluster'> {
  if (read.waiting) return valuesFor(id, read.waiting, {word, kept: ''})
  if (!read.ended && word.startsWith('-')) {
    const equals = /^--([^=]+)=/.exec(word)
    const flag = equals ? flagNamed(command, `--${equals[1]}`) : undefined
    if (flag?.type === 'option')
      return valuesFor(id, flag, {word: word.slice(equals?.[0].length), kept: equals?.[0] ?? ''})
    return {...NOTHING, choices: flagChoices(command, read.flags)}
  }
  const args = Object.values(command.args)
  const last = args.at(-1)
  const endless = last?.multiple || command.strict === false ? last : undefined
  const arg = args[read.words.length] ?? endless
  if (!arg) return {...NOTHING, choices: word || read.ended ? [] : flagChoices(command, read.flags)}
  if (arg.options) return {...NOTHING, choices: arg.options.map((value) => ({value}))}
  const source = argSource(id, arg) ?? 'free'
  // What `node exec` runs over there cannot be known here.
  return {...NOTHING, source: read.ended && id === 'node:exec' ? 'free' : source, given: read.words}
}

function valuesFor(
  id: string,
  flag: ManifestFlag,
  {word, kept}: {readonly word: string; readonly kept: string},
): Omit<Expected, 'cluster'> {
  const list = flag.delimiter === undefined ? '' : word.slice(0, word.lastIndexOf(',') + 1)
  const given = list.split(',').filter(Boolean)
  const at = {kept: kept + list, given}
  if (flag.options) return {choices: flag.options.map((value) => ({value})), source: 'free', ...at}
  return {choices: [], source: flagSource(id, flag) ?? 'free', ...at}
}

/** The longest leading words that name a command; --json and --cluster may stand before or between them. */
function commandOf(manifest: Manifest, before: readonly string[]) {
  const words: string[] = []
  let cluster: string | undefined
  let found: {readonly id: string; readonly at: number} | undefined
  for (let at = 0; at < before.length && words.length < 3; at++) {
    const word = before[at] ?? ''
    if (word === '--cluster') cluster = before[++at]
    else if (word.startsWith('--cluster=')) cluster = word.slice('--cluster='.length)
    else if (word === 'help' && words.length === 0 && at === 0)
      return {id: undefined, rest: [], cluster}
    else if (word !== '--json') {
      if (word.startsWith('-')) break
      words.push(word)
      const id = words.join(':')
      if (manifest.commands[id] && !manifest.commands[id].hidden) found = {id, at}
    }
  }
  return {id: found?.id, rest: before.slice((found?.at ?? -1) + 1), cluster}
}

/** Words that go on from those that are there: a topic, or the last word of a command. */
function words(manifest: Manifest, before: readonly string[]): Omit<Expected, 'cluster'> {
  const typed: string[] = []
  for (let at = before[0] === 'help' ? 1 : 0; at < before.length; at++) {
    const word = before[at] ?? ''
    if (word === '--cluster') {
      if (at === before.length - 1) return {...NOTHING, source: 'clusters'}
      at++
    } else if (!word.startsWith('-')) typed.push(word)
  }
  const next = new Map<string, Choice>()
  const verbs = new Map<string, string[]>()
  for (const [id, command] of Object.entries(manifest.commands)) {
    const parts = id.split(':')
    const value = parts[typed.length]
    if (command.hidden || value === undefined || typed.some((part, i) => part !== parts[i]))
      continue
    if (parts.length === typed.length + 1) next.set(value, {value, about: command.summary ?? ''})
    else verbs.set(value, [...(verbs.get(value) ?? []), parts[typed.length + 1] ?? ''])
  }
  for (const [value, all] of verbs)
    if (!next.has(value)) next.set(value, {value, about: all.join(', ')})
  if (before.length === 0) next.set('help', {value: 'help', about: 'how a command is used'})
  return {...NOTHING, choices: [...next.values()].sort((a, b) => (a.value < b.value ? -1 : 1))}
}

function readWords(
  command: ManifestCommand,
  rest: readonly string[],
  named: string | undefined,
): Read {
  const words: string[] = []
  const flags = new Set<string>()
  let [cluster, ended] = [named, false]
  let waiting: ManifestFlag | undefined
  for (const word of rest) {
    if (waiting) {
      if (waiting.name === 'cluster') cluster = word
      waiting = undefined
    } else if (ended || !word.startsWith('-') || word === '-') words.push(word)
    else if (word === '--') ended = true
    else {
      const flag = flagNamed(command, word.replace(/=.*/s, ''))
      if (!flag) continue
      flags.add(flag.name)
      if (flag.type === 'option' && !word.includes('=')) waiting = flag
      else if (flag.name === 'cluster') cluster = word.slice(word.indexOf('=') + 1)
    }
  }
  return {words, flags, waiting, ended, cluster}
}

/** `--name`, `--no-name` or `-n`; of `-yl` the last one, which alone may take a value. */
function flagNamed(command: ManifestCommand, word: string): ManifestFlag | undefined {
  const all = Object.values(command.flags)
  if (!word.startsWith('--')) return all.find((flag) => flag.char === word.at(-1))
  const name = word.slice(2)
  return all.find((flag) => flag.name === name || (flag.allowNo && `no-${flag.name}` === name))
}

function flagChoices(command: ManifestCommand, given: ReadonlySet<string>): Choice[] {
  const all = Object.values(command.flags)
  const excluded = all.flatMap(({name, exclusive = []}) => (given.has(name) ? exclusive : []))
  const left = all.filter(
    (flag) =>
      !flag.hidden &&
      (flag.multiple || !given.has(flag.name)) &&
      !excluded.includes(flag.name) &&
      !flag.exclusive?.some((other) => given.has(other)),
  )
  const about = (flag: ManifestFlag) => flag.summary ?? flag.description ?? ''
  return [
    ...left.flatMap((flag) => [
      // What is so anyhow need not be said: of `install` only `--no-install` changes anything.
      ...(flag.allowNo && flag.default === true
        ? []
        : [{value: `--${flag.name}`, about: about(flag)}]),
      ...(flag.allowNo ? [{value: `--no-${flag.name}`, about: `not: ${about(flag)}`}] : []),
    ]),
    {value: '--help', about: 'how it is used'},
  ]
}
