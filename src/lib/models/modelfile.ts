import {OllamaxError} from '../errors.ts'

/** What a Modelfile says, as /api/create takes it; `from` and `adapter` as they are written. */
export interface Modelfile {
  readonly from: string
  readonly adapter?: string
  readonly template?: string
  readonly system?: string
  readonly license?: readonly string[]
  readonly parameters?: Readonly<Record<string, unknown>>
  readonly messages?: readonly {readonly role: string; readonly content: string}[]
}

const COMMANDS = ['from', 'parameter', 'template', 'system', 'adapter', 'license', 'message']
const ROLES = ['system', 'user', 'assistant']

/** Reads a Modelfile. BAD_INPUT with the line for what cannot be read, or for one without FROM. */
export function parseModelfile(text: string): Modelfile {
  let from: string | undefined
  const found: {adapter?: string; template?: string; system?: string} = {}
  const license: string[] = []
  const messages: {role: string; content: string}[] = []
  const parameters: Record<string, unknown> = {}
  for (const {name, value, line} of statements(text)) {
    if (name === 'from') from = value
    else if (name === 'license') license.push(value)
    else if (name === 'message') messages.push(messageOf(value, line))
    else if (name === 'parameter') addParameter(parameters, value, line)
    else found[name as keyof typeof found] = value
  }
  if (!from) throw bad('it has no FROM')
  return {
    from,
    ...found,
    ...(license.length > 0 ? {license} : {}),
    ...(messages.length > 0 ? {messages} : {}),
    ...(Object.keys(parameters).length > 0 ? {parameters} : {}),
  }
}

interface Statement {
  readonly name: string
  readonly value: string
  readonly line: number
}

/** A value may stand in quotes, or in three of them over several lines. */
function* statements(text: string): Generator<Statement> {
  const lines = text.replaceAll('\r\n', '\n').split('\n')
  for (let at = 0; at < lines.length; at++) {
    const line = at + 1
    const trimmed = lines[at]?.trim() ?? ''
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const [, word = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(trimmed) ?? []
    const name = word.toLowerCase()
    if (!COMMANDS.includes(name)) throw bad(`line ${line}: "${word}" is none of its commands`)
    const opens = rest.indexOf('"""')
    if (opens < 0) {
      yield {name, value: unquoted(rest), line}
      continue
    }
    // What stands before the quotes belongs to it: the role of a message, the name of a parameter.
    const before = rest.slice(0, opens)
    let body = rest.slice(opens + 3)
    while (!body.includes('"""')) {
      at++
      if (at >= lines.length) throw bad(`line ${line}: its """ is not closed`)
      body += `\n${lines[at]}`
    }
    yield {name, value: before + body.slice(0, body.indexOf('"""')), line}
  }
}

function unquoted(text: string): string {
  const quoted = /^"(.*)"$/s.exec(text)
  return quoted ? (quoted[1] ?? '') : text
}

function messageOf(value: string, line: number): {role: string; content: string} {
  const [, role = '', content = ''] = /^(\S+)\s*(.*)$/s.exec(value) ?? []
  if (!ROLES.includes(role)) throw bad(`line ${line}: a message is by ${ROLES.join(', ')}`)
  return {role, content: unquoted(content)}
}

/** `stop` may stand there several times; everything else is a number, a word or true and false. */
function addParameter(all: Record<string, unknown>, value: string, line: number): void {
  const [, name = '', raw = ''] = /^(\S+)\s+(.*)$/s.exec(value) ?? []
  if (!name) throw bad(`line ${line}: a parameter has a name and a value`)
  const text = unquoted(raw)
  if (name === 'stop') {
    all.stop = [...((all.stop as string[] | undefined) ?? []), text]
    return
  }
  const number = text === '' ? Number.NaN : Number(text)
  all[name] = Number.isFinite(number)
    ? number
    : /^(true|false)$/.test(text)
      ? text === 'true'
      : text
}

function bad(why: string): OllamaxError {
  return new OllamaxError('BAD_INPUT', `the Modelfile cannot be used: ${why}`, {
    suggestions: ['it begins with FROM, for example: FROM llama3.2:3b'],
  })
}
