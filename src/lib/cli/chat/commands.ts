import {nearest} from '../../cluster/nearest.ts'

/** What can stand behind a command, for those who complete it. */
export type Argument = 'model' | 'option' | 'path' | 'saved' | 'text' | 'none'

interface ChatCommand {
  readonly usage: string
  readonly about: string
  readonly argument: Argument
}

/** Every command of the chat: what is run, completed and told by /help and the documentation. */
export const CHAT_COMMANDS = {
  model: {
    usage: '[NAME]',
    about: 'show or change the model; the conversation stays',
    argument: 'model',
  },
  system: {
    usage: '[TEXT]',
    about: 'show, set or (with "") remove the system message',
    argument: 'text',
  },
  set: {
    usage: 'OPTION VALUE',
    about: 'set an option of the model run, for example temperature 0.2',
    argument: 'option',
  },
  options: {usage: '', about: 'show the options that are set', argument: 'none'},
  image: {
    usage: 'PATH',
    about: 'show an image with the next question; a path in the question does the same',
    argument: 'path',
  },
  file: {usage: 'PATH', about: 'put a text file behind the next question', argument: 'path'},
  regenerate: {usage: '', about: 'ask the last question once more', argument: 'none'},
  edit: {usage: '', about: 'change the last question and ask it again', argument: 'none'},
  undo: {usage: '', about: 'forget the last question and its answer', argument: 'none'},
  copy: {
    usage: '',
    about: 'copy the last answer to the clipboard, where the terminal allows it',
    argument: 'none',
  },
  save: {
    usage: 'NAME',
    about: 'keep the conversation under a name, or in a file (a path with a /)',
    argument: 'saved',
  },
  load: {usage: 'NAME', about: 'continue a conversation that was saved', argument: 'saved'},
  sessions: {usage: '', about: 'list the conversations that are saved', argument: 'none'},
  export: {
    usage: 'FILE',
    about: 'write the conversation as Markdown (.md) or JSON (.json)',
    argument: 'path',
  },
  clear: {usage: '', about: 'forget the conversation', argument: 'none'},
  help: {usage: '', about: 'this list', argument: 'none'},
  bye: {usage: '', about: 'leave; Ctrl-D does the same', argument: 'none'},
} as const satisfies Readonly<Record<string, ChatCommand>>

export type CommandName = keyof typeof CHAT_COMMANDS

/** What a text that was sent is. */
export type Sent =
  | {readonly kind: 'say'; readonly text: string}
  | {readonly kind: 'command'; readonly name: CommandName; readonly rest: string}
  | {readonly kind: 'unknown'; readonly name: string; readonly near: string | undefined}

const ALIASES: Readonly<Record<string, CommandName>> = {'?': 'help', exit: 'bye', quit: 'bye'}

/** A path that begins with a slash is no command: no command has a slash or a dot in its name. */
export function readSent(text: string): Sent {
  const [, word, rest = ''] = /^\s*\/([^\s/.]+)(?:\s+([\s\S]*))?$/.exec(text.trimEnd()) ?? []
  if (word === undefined) return {kind: 'say', text}
  const name = Object.hasOwn(ALIASES, word) ? ALIASES[word] : word
  if (name !== undefined && Object.hasOwn(CHAT_COMMANDS, name))
    return {kind: 'command', name: name as CommandName, rest: rest.trim()}
  return {kind: 'unknown', name: word, near: nearest(word, Object.keys(CHAT_COMMANDS))}
}

/** The commands and the keys, each with what it does. */
export function helpRows(
  keys: ReadonlyArray<readonly [keys: string, about: string]>,
): Array<readonly [left: string, about: string]> {
  const commands = Object.entries(CHAT_COMMANDS).map(
    ([name, {usage, about}]) => [`/${name} ${usage}`.trimEnd(), about] as const,
  )
  return [...commands, ['', ''], ['"""', 'begins and ends a text of several lines'], ...keys]
}
