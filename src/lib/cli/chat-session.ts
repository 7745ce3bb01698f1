import {OllamaxError} from '../errors.ts'
import {optionOf} from './answer-body.ts'

export interface SaidMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
  /** Pictures that were shown with it, as base64. */
  readonly images?: readonly string[]
  /** An answer that was ended by the user: as far as it came. */
  readonly cancelled?: boolean
}

/** A conversation as it stands; also the content of a saved one. */
export interface ChatSession {
  readonly model: string
  readonly system?: string
  readonly options: Readonly<Record<string, unknown>>
  /** Without the system message. */
  readonly messages: readonly SaidMessage[]
}

/** What a line (or several, between `"""`) asks for. */
export type ChatInput =
  | {readonly kind: 'say'; readonly text: string}
  | {readonly kind: 'nothing'}
  | {readonly kind: 'leave'}
  | {readonly kind: 'save' | 'load'; readonly path: string}
  /** The session is another one now; `text` says what has changed. */
  | {readonly kind: 'session'; readonly session: ChatSession; readonly text: string}
  | {readonly kind: 'tell'; readonly text: string}

const CHAT_HELP = `/model [NAME]        show or change the model
/system [TEXT]       show, set or (with "") remove the system message
/set OPTION VALUE    set an option of the model run; /set alone shows all
/save FILE           keep the conversation in a file
/load FILE           continue the conversation of a file
/clear               forget the conversation
/bye                 leave; Ctrl-D does the same
"""                  begins and ends a text of several lines
Ctrl-C               ends the answer that is being written`

const MARK = '"""'

/** Joins lines to inputs: one line each, or all lines from one `"""` to the next. */
export class InputLines {
  #open: string[] | undefined

  /** True between two `"""`. */
  get isOpen(): boolean {
    return this.#open !== undefined
  }

  /** The whole input that this line completes, if it does. */
  push(line: string): string | undefined {
    if (this.#open) return this.#close(line)
    const text = line.trimStart()
    if (!text.startsWith(MARK)) return line
    this.#open = []
    return this.#close(text.slice(MARK.length))
  }

  /** Forgets an input that is not complete. */
  drop(): void {
    this.#open = undefined
  }

  #close(line: string): string | undefined {
    const end = line.trimEnd()
    if (!end.endsWith(MARK)) {
      this.#open?.push(line)
      return undefined
    }
    const lines = [...(this.#open ?? []), end.slice(0, -MARK.length)]
    this.#open = undefined
    return lines.join('\n').replace(/^\n|\n$/g, '')
  }
}

/** What an input means for this session. Pure: files are for the caller. BAD_INPUT for a command used wrongly. */
export function readInput(session: ChatSession, input: string): ChatInput {
  const text = input.trim()
  if (!text) return {kind: 'nothing'}
  if (!text.startsWith('/')) return {kind: 'say', text: input}
  const [, command = '', rest = ''] = /^\/(\S*)\s*([\s\S]*)$/.exec(text) ?? []
  const change = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined
  if (change) return change(session, rest)
  return {kind: 'tell', text: `no command /${command}; /help lists them`}
}

type Command = (session: ChatSession, rest: string) => ChatInput

const path =
  (kind: 'save' | 'load'): Command =>
  (_, rest) =>
    rest ? {kind, path: rest} : {kind: 'tell', text: `/${kind} needs the name of a file`}

const COMMANDS: Readonly<Record<string, Command>> = {
  help: () => ({kind: 'tell', text: CHAT_HELP}),
  '?': () => ({kind: 'tell', text: CHAT_HELP}),
  bye: () => ({kind: 'leave'}),
  exit: () => ({kind: 'leave'}),
  save: path('save'),
  load: path('load'),
  clear: (session) => ({
    kind: 'session',
    session: {...session, messages: []},
    text: 'the conversation is forgotten',
  }),
  model: (session, rest) =>
    rest
      ? {kind: 'session', session: {...session, model: rest}, text: `the model is ${rest}`}
      : {kind: 'tell', text: session.model},
  system(session, rest) {
    if (!rest) return {kind: 'tell', text: session.system ?? 'no system message'}
    const {system: _, ...without} = session
    const said = rest.replace(/^"([\s\S]*)"$/, '$1')
    if (!said) return {kind: 'session', session: without, text: 'no system message any more'}
    return {kind: 'session', session: {...session, system: said}, text: 'the system message is set'}
  },
  set(session, rest) {
    const [, key, value] = /^(\S+)\s+([\s\S]+)$/.exec(rest) ?? []
    if (!rest) return {kind: 'tell', text: JSON.stringify(session.options)}
    if (!key || value === undefined) return {kind: 'tell', text: '/set needs an option and a value'}
    const [name, parsed] = optionOf(`${key}=${value}`)
    const options = {...session.options, [name]: parsed}
    return {kind: 'session', session: {...session, options}, text: `${name} is ${value}`}
  },
}

/** The text of a saved conversation. */
export function writeSession(session: ChatSession): string {
  return `${JSON.stringify(session, null, 2)}\n`
}

/** A saved conversation; BAD_INPUT if the text is something else. */
export function parseSession(text: string): ChatSession {
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch (error) {
    throw new OllamaxError('BAD_INPUT', 'that file is no saved conversation', {cause: error})
  }
  const {model, system, options, messages} = (found ?? {}) as Partial<Record<string, unknown>>
  const sound =
    typeof model === 'string' &&
    Array.isArray(messages) &&
    messages.every((one) => typeof one?.role === 'string' && typeof one?.content === 'string')
  if (!sound) throw new OllamaxError('BAD_INPUT', 'that file is no saved conversation')
  return {
    model,
    ...(typeof system === 'string' ? {system} : {}),
    options: typeof options === 'object' && options !== null ? {...options} : {},
    messages: messages.map(messageOf),
  }
}

function messageOf({role, content, images, cancelled}: SaidMessage): SaidMessage {
  const shown = Array.isArray(images) && images.every((one) => typeof one === 'string')
  return {
    role,
    content,
    ...(shown ? {images} : {}),
    ...(cancelled === true ? {cancelled} : {}),
  }
}
