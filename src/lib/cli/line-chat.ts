import {readFileSync, writeFileSync} from 'node:fs'
import {createInterface, type Interface} from 'node:readline'
import {isatty} from 'node:tty'
import {messageOf, OllamaxError} from '../errors.ts'
import {withDeadline} from '../jobs/deadline.ts'
import {runModel} from '../jobs/run-model.ts'
import type {Tools} from '../jobs/tools.ts'
import {routeOf} from './answer.ts'
import {type AnswerBody, bodyOf, imagesOf} from './answer-body.ts'
import type {AnswerFlags, RouteFlags} from './answer-flags.ts'
import {answerScreen, type ScreenOptions} from './answer-screen.ts'
import {
  type ChatInput,
  type ChatSession,
  InputLines,
  parseSession,
  readInput,
  writeSession,
} from './chat-session.ts'
import {harmless} from './paint.ts'
import {printError} from './print-error.ts'

interface LineChatOptions {
  readonly flags: AnswerFlags & RouteFlags
  readonly signal: AbortSignal
  /** Nothing is written to stdout. */
  readonly json?: boolean
  readonly drawn?: ScreenOptions['drawn']
}

/**
 * A conversation line by line: prompts and remarks on stderr, answers on stdout. On a terminal it goes
 * on after an error, and Ctrl-C ends only the answer; from a pipe the first error ends it. Resolves
 * with the conversation when the input is over.
 */
export async function lineChat(
  tools: Tools,
  session: ChatSession,
  options: LineChatOptions,
): Promise<ChatSession> {
  // The options are the conversation's by now, where they can be changed.
  const {options: _, ...body} = bodyOf(options.flags)
  return new LineChat(tools, options, body, session).run()
}

class LineChat {
  readonly #tools: Tools
  readonly #options: LineChatOptions
  readonly #body: AnswerBody
  readonly #terminal = isatty(0) && isatty(2)
  #session: ChatSession
  /** Where the conversation so far was evaluated. */
  #cached: {readonly node: string; readonly promptTokens: number} | undefined
  #images: readonly string[]
  #answer: AbortController | undefined

  constructor(tools: Tools, options: LineChatOptions, body: AnswerBody, session: ChatSession) {
    this.#tools = tools
    this.#options = options
    this.#body = body
    this.#session = session
    this.#images = imagesOf(options.flags).images ?? []
  }

  async run(): Promise<ChatSession> {
    const {signal} = this.#options
    const lines = createInterface({
      input: process.stdin,
      ...(this.#terminal ? {output: process.stderr, terminal: true} : {}),
    })
    const stop = () => lines.close()
    signal.addEventListener('abort', stop, {once: true})
    try {
      if (this.#terminal) this.#tell(`${this.#session.model}: /help for commands, Ctrl-D to leave`)
      await this.#converse(lines)
      signal.throwIfAborted()
      return this.#session
    } finally {
      signal.removeEventListener('abort', stop)
      lines.close()
    }
  }

  async #converse(lines: Interface): Promise<void> {
    const input = new InputLines()
    lines.on('SIGINT', () => {
      if (this.#answer) return this.#answer.abort(new OllamaxError('INTERRUPTED', 'cancelled'))
      input.drop()
      this.#tell('\nCtrl-D or /bye leaves')
      this.#ask(lines, input)
    })
    this.#ask(lines, input)
    // Lines that come while an answer is written wait here for their turn.
    for await (const line of lines) {
      const whole = input.push(line)
      if (whole !== undefined && !(await this.#take(whole))) return
      this.#ask(lines, input)
    }
    const rest = input.isOpen ? input.push('"""') : undefined
    if (rest !== undefined && !this.#options.signal.aborted) await this.#take(rest)
    if (this.#terminal) this.#tell('')
  }

  #ask(lines: Interface, input: InputLines): void {
    if (!this.#terminal) return
    lines.setPrompt(input.isOpen ? '... ' : '>>> ')
    lines.prompt()
  }

  #tell(text: string): void {
    process.stderr.write(`${harmless(text)}\n`)
  }

  /** False: the conversation is over. */
  async #take(text: string): Promise<boolean> {
    try {
      const input = readInput(this.#session, text)
      if (input.kind === 'leave') return false
      if (input.kind === 'say') await this.#say(input.text)
      else this.#obey(input)
      return true
    } catch (error) {
      this.#options.signal.throwIfAborted()
      if (this.#answer?.signal.aborted) this.#tell('(cancelled)')
      else if (this.#terminal) printError(error)
      else throw error
      return true
    } finally {
      this.#answer = undefined
    }
  }

  #obey(input: Exclude<ChatInput, {kind: 'say' | 'leave'}>): void {
    switch (input.kind) {
      case 'nothing':
        break
      case 'tell':
        this.#tell(input.text)
        break
      case 'session':
        this.#become(input.session, input.text)
        break
      default:
        this.#file(input.kind, input.path)
    }
  }

  #become(session: ChatSession, text: string): void {
    this.#session = session
    this.#cached = undefined
    this.#tell(text)
  }

  #file(kind: 'save' | 'load', path: string): void {
    try {
      if (kind === 'save') {
        writeFileSync(path, writeSession(this.#session), {mode: 0o600})
        this.#tell(`saved to ${path}`)
      } else {
        const session = parseSession(readFileSync(path, 'utf8'))
        this.#become(session, `${session.messages.length} messages with ${session.model}`)
      }
    } catch (error) {
      throw new OllamaxError('BAD_INPUT', `/${kind} ${path}: ${messageOf(error)}`, {cause: error})
    }
  }

  async #say(content: string): Promise<void> {
    const {flags, signal, json = false, drawn = {}} = this.#options
    const {model, system, options} = this.#session
    const messages = [...this.#session.messages, {role: 'user', content} as const]
    this.#answer = new AbortController()
    const screen = await answerScreen({json, drawn, explain: flags.explain ?? false})
    const limit = withDeadline([signal, this.#answer.signal, screen.gone])
    try {
      const answer = await runModel(this.#tools, {
        ...routeOf(flags),
        body: {...this.#body, model, options, messages: this.#wire(system, messages)},
        ...(this.#cached ? {cached: this.#cached} : {}),
        signal: limit.signal,
        show: screen.show,
        note: screen.note,
      })
      const said = {role: 'assistant', content: answer.response} as const
      this.#session = {...this.#session, messages: [...messages, said]}
      this.#images = []
      const {promptTokens = 0, answerTokens = 0} = answer.stats
      this.#cached = {node: answer.node, promptTokens: promptTokens + answerTokens}
    } finally {
      screen.end()
      limit.end()
    }
  }

  /** The messages as the API takes them; images go with the first message that is said. */
  #wire(system: string | undefined, messages: ChatSession['messages']) {
    const last = messages.length - 1
    const images = this.#images
    const said = messages.map((message, at) =>
      at === last && images.length > 0 ? {...message, images} : message,
    )
    return system === undefined ? said : [{role: 'system', content: system}, ...said]
  }
}
