import type {Json} from './body/parse.ts'

/**
 * The thread of an answer, kept so that another node can take it up where one broke off. It passes whole
 * lines only: of a line that was cut in two nobody could say what was told.
 */
export class Thread {
  readonly #call: 'chat' | 'generate'
  readonly #asked: Json
  #text = ''
  #pieces = 0
  #legs = 1
  /** Pieces told by the legs before this one; a piece is a token. */
  #before = 0
  #held: Buffer[] = []
  /** It said something that a continuation could not know: thoughts, a tool's call. */
  #lost = false

  private constructor(call: 'chat' | 'generate', asked: Json) {
    this.#call = call
    this.#asked = asked
  }

  /** Undefined for what cannot be continued: tools, formats, images, suffixes, templates, an old context. */
  static of(call: string, asked: Json): Thread | undefined {
    if (call !== 'chat' && call !== 'generate') return undefined
    if (NOT_CONTINUED.some((field) => isSet(asked[field]))) return undefined
    const {messages, prompt} = asked
    const fits = call === 'chat' ? Array.isArray(messages) && messages.length > 0 : isText(prompt)
    return fits ? new Thread(call, asked) : undefined
  }

  /** True as long as another node can go on. */
  get continues(): boolean {
    return !this.#lost && this.#legs <= MOST_LEGS
  }

  /** Takes what a node sent; gives what the client is to get of it now. */
  push(chunk: Buffer): Buffer {
    const end = chunk.lastIndexOf(NEWLINE)
    if (end < 0) {
      this.#held.push(chunk)
      return EMPTY
    }
    const whole = Buffer.concat([...this.#held.splice(0), chunk.subarray(0, end + 1)])
    if (end + 1 < chunk.length) this.#held.push(chunk.subarray(end + 1))
    const lines = whole.toString('utf8').split('\n').slice(0, -1)
    const told = lines.map((line) => this.#line(line)).filter((line) => line !== undefined)
    return Buffer.from(told.map((line) => `${line}\n`).join(''))
  }

  /** What to ask the next node: the same, with what was told already as the beginning of the answer. */
  next(): {readonly path: string; readonly body: Buffer} {
    this.#legs++
    this.#before = this.#pieces
    this.#held = []
    const {prompt, system, messages, options, raw, ...rest} = this.#asked
    const left = this.#optionsLeft(options)
    const told = {role: 'assistant', content: this.#text}
    if (this.#call === 'generate' && raw === true) {
      const body = {...rest, raw, prompt: `${String(prompt)}${this.#text}`, ...left}
      return {path: '/api/generate', body: Buffer.from(JSON.stringify(body))}
    }
    const before =
      this.#call === 'chat'
        ? (messages as readonly unknown[])
        : [
            ...(isText(system) ? [{role: 'system', content: system}] : []),
            {role: 'user', content: prompt},
          ]
    const body = {...rest, messages: [...before, told], ...left}
    return {path: '/api/chat', body: Buffer.from(JSON.stringify(body))}
  }

  #optionsLeft(options: unknown): {readonly options?: object} {
    if (typeof options !== 'object' || options === null) return {}
    const most = (options as {num_predict?: unknown}).num_predict
    const spent = typeof most === 'number' && most > 0
    return {options: spent ? {...options, num_predict: Math.max(1, most - this.#pieces)} : options}
  }

  /** What the client is to get of a line; undefined: nothing. */
  #line(text: string): string | undefined {
    let line: Record<string, unknown>
    try {
      line = JSON.parse(text) as Record<string, unknown>
    } catch {
      this.#lost = true
      return text
    }
    // It is not passed on: somebody else will go on.
    if (line.error !== undefined) return undefined
    const message = (line.message ?? line) as Record<string, unknown>
    const said = message.content ?? message.response
    if (isSet(message.thinking) || isSet(message.tool_calls)) this.#lost = true
    if (typeof said === 'string' && said !== '') {
      this.#text += said
      this.#pieces++
    }
    if (this.#legs === 1) return text
    const shown = this.#call === 'generate' ? asGenerate(line, said) : line
    if (line.done !== true) return JSON.stringify(shown)
    const count = typeof line.eval_count === 'number' ? line.eval_count : 0
    return JSON.stringify({...shown, eval_count: this.#before + count, resumed: true})
  }
}

const NOT_CONTINUED = [
  'tools',
  'format',
  'images',
  'suffix',
  'template',
  'context',
  'logprobs',
  'think',
]
/** A fleet on which three nodes fail during one answer has other worries. */
const MOST_LEGS = 3
const NEWLINE = 10
const EMPTY = Buffer.alloc(0)

function asGenerate(line: Record<string, unknown>, said: unknown): Record<string, unknown> {
  const {message: _, ...rest} = line
  return {...rest, response: typeof said === 'string' ? said : ''}
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  return value !== undefined && value !== null && value !== '' && value !== false
}
