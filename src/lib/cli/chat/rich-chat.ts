import {messageOf, OllamaxError} from '../../errors.ts'
import type {Tools} from '../../jobs/tools.ts'
import {addToHistory, listChats, readHistory} from '../../state/chats.ts'
import type {ChatScreen} from '../../tui/chat/open-chat.tsx'
import {type AnswerBody, bodyOf} from '../answer-body.ts'
import type {ChatSession, SaidMessage} from '../chat-session.ts'
import {colorsOn, shadeOf} from '../paint.ts'
import {errorLines} from '../print-error.ts'
import {askTurn, type Turn} from './ask-turn.ts'
import {picturesIn, readPicture, readTextFile} from './attach.ts'
import type {ChatHereOptions} from './chat-here.ts'
import {readSent} from './commands.ts'
import {completionsOf} from './complete.ts'
import {ChatFleet} from './fleet.ts'
import {obey} from './obey.ts'
import {linksOn, reflows} from './terminal.ts'
import {lastQuestion, wireMessages, withQuestion} from './turns.ts'

/**
 * A conversation with all that a terminal can show. It goes on after an error; Ctrl-C ends only the answer. Resolves with
 * the conversation when it is over, the terminal as it was. Throws what ended it from outside.
 */
export async function richChat(
  tools: Tools,
  session: ChatSession,
  options: ChatHereOptions,
): Promise<ChatSession> {
  const chat = new RichChat(tools, session, options)
  return chat.run()
}

/** The conversation as it stands, and what changes it. The screen shows it and knows nothing of it. */
export class RichChat {
  readonly tools: Tools
  readonly fleet: ChatFleet
  session: ChatSession
  screen!: ChatScreen
  /** What goes with the next question. */
  pictures: Array<{readonly name: string; readonly base64: string}> = []
  files: Array<{readonly name: string; readonly text: string}> = []
  /** Names under which this conversation was saved or loaded: saving it again replaces them. */
  readonly known = new Set<string>()
  readonly #options: ChatHereOptions
  readonly #body: AnswerBody
  readonly #left = Promise.withResolvers<void>()
  /** Where the conversation so far was evaluated. */
  #cached: {readonly node: string; readonly promptTokens: number} | undefined
  #answer: AbortController | undefined
  #turn: Promise<void> = Promise.resolve()

  constructor(tools: Tools, session: ChatSession, options: ChatHereOptions) {
    this.tools = tools
    this.session = session
    this.#options = options
    const {options: _, ...body} = bodyOf(options.flags)
    this.#body = body
    this.fleet = new ChatFleet(tools)
    if (options.flags.load !== undefined) this.known.add(options.flags.load)
  }

  async run(): Promise<ChatSession> {
    const {signal, drawn = {}, flags} = this.#options
    // Read before the screen is taken: what is wrong with them is an error of the command.
    for (const path of flags.image ?? []) this.pictures.push(readPicture(path))
    const stop = () => this.#left.reject(signal.reason)
    signal.addEventListener('abort', stop, {once: true})
    try {
      signal.throwIfAborted()
      this.screen = await this.#open()
      drawn.suspend = () => this.screen.suspend()
      drawn.interrupted = () => this.#cancel()
      this.#greet()
      await this.#left.promise
      return this.session
    } finally {
      signal.removeEventListener('abort', stop)
      delete drawn.suspend
      delete drawn.interrupted
      await this.screen?.close()
    }
  }

  leave(): void {
    this.#left.resolve()
  }

  /** The conversation is another one now. */
  become(session: ChatSession): void {
    this.session = session
    this.#cached = undefined
  }

  /** Shows what was said so far, as if it had just been said. */
  showAll(): void {
    for (const {role, content, cancelled} of this.session.messages) {
      if (role === 'user') this.screen.asked(content)
      else this.screen.answered(content)
      if (cancelled) this.screen.say('(cancelled)', 'dim')
    }
  }

  /** Asks the last question, again or for the first time. What there was stays if nothing comes. */
  async ask(before: ChatSession, question: SaidMessage): Promise<void> {
    const old = this.session
    this.session = withQuestion(before, question)
    const {model, options} = this.session
    this.#answer = new AbortController()
    const signals = [this.#options.signal, this.#answer.signal]
    try {
      const turn = await askTurn(this.tools, this.screen, {
        body: {...this.#body, model, options, messages: wireMessages(this.session)},
        cached: this.#cached,
        flags: this.#options.flags,
        signals,
      })
      if (turn.kind === 'cancelled' && turn.response === '') {
        this.#back(old, question)
        return
      }
      this.#keep(turn.kind === 'answered' ? turn.answer.response : turn.response, turn.kind)
      if (turn.kind === 'cancelled') return
      const {promptTokens = 0, answerTokens = 0} = turn.answer.stats
      this.#cached = {node: turn.answer.node, promptTokens: promptTokens + answerTokens}
    } catch (error) {
      this.#back(old, question)
      throw error
    } finally {
      this.#answer = undefined
    }
  }

  /** Nothing came: an answer that there was to the same question before is better than none. */
  #back(old: ChatSession, question: SaidMessage): void {
    if (old.messages.at(-1)?.role === 'assistant' && lastQuestion(old)?.question === question)
      this.session = old
  }

  #keep(content: string, kind: Turn['kind']): void {
    const cancelled = kind === 'cancelled' ? {cancelled: true} : {}
    const said = {role: 'assistant', content, ...cancelled} as const
    this.session = {...this.session, messages: [...this.session.messages, said]}
  }

  async #open(): Promise<ChatScreen> {
    const {stdin, stdout, env} = process
    const {openChat} = await import('../ink.ts')
    return openChat({
      stdin,
      stdout,
      look: {color: colorsOn(stdout, env), light: shadeOf(env) === 'light', links: linksOn(env)},
      reflows: reflows(env),
      history: this.#history(),
      greeting: `${this.session.model}: /help for commands and keys, Ctrl-D to leave`,
      now: Date.now,
      onSend: (text, editing) => {
        this.#turn = this.#turn.then(() => this.#take(text, editing))
      },
      onCancel: () => this.#cancel(),
      onLeave: () => this.leave(),
      complete: (before) =>
        completionsOf(before, {
          models: () => this.fleet.names(),
          saved: () => listChats(this.tools.paths).map(({name}) => name),
        }),
    })
  }

  #cancel(): void {
    this.#answer?.abort(new OllamaxError('INTERRUPTED', 'cancelled'))
  }

  #history(): string[] {
    if (this.#options.flags.history === false) return []
    try {
      return readHistory(this.tools.paths)
    } catch {
      // A chat without its history is better than none.
      return []
    }
  }

  #greet(): void {
    this.showAll()
    if (this.pictures.length > 0) this.sayAttached()
  }

  sayAttached(): void {
    const names = [...this.pictures, ...this.files].map(({name}) => name)
    this.screen.say(`with the next question: ${names.join(', ')}`, 'dim')
  }

  /** One text that was sent. Never throws. */
  async #take(text: string, editing: boolean): Promise<void> {
    try {
      this.#remember(text)
      const sent = readSent(text)
      this.screen.asked(text)
      if (sent.kind === 'command') await obey(this, sent.name, sent.rest)
      else if (sent.kind === 'say') await this.#say(text, editing)
      else throw unknown(sent)
    } catch (error) {
      if (this.#options.signal.aborted) return
      const [first = '', ...rest] = errorLines(error)
      this.screen.say([first, ...rest].join('\n'), 'bad')
    }
  }

  #remember(text: string): void {
    this.screen.remember(text)
    if (this.#options.flags.history === false) return
    try {
      addToHistory(this.tools.paths, text)
    } catch (error) {
      this.screen.say(`warning: ${messageOf(error)}`, 'dim')
    }
  }

  async #say(text: string, editing: boolean): Promise<void> {
    const last = editing ? lastQuestion(this.session) : undefined
    const found = picturesIn(text)
    const dropped = found.paths.map(readPicture)
    const images = [
      ...(last?.question.images ?? []),
      ...[...this.pictures, ...dropped].map(({base64}) => base64),
    ]
    if (images.length > 0) {
      try {
        await this.fleet.refuseBlind(this.session.model)
      } catch (error) {
        // So that only what is wrong has to be written anew.
        this.screen.fill(text, editing)
        throw error
      }
    }
    const content = [found.text, ...this.files.map((file) => file.text)].join('\n\n')
    if (dropped.length > 0)
      this.screen.say(`with ${dropped.map(({name}) => name).join(', ')}`, 'dim')
    this.pictures = []
    this.files = []
    await this.ask(last?.before ?? this.session, {
      role: 'user',
      content,
      ...(images.length > 0 ? {images} : {}),
    })
  }

  /** A picture for the next question. BAD_INPUT if the model cannot see. */
  async attachPicture(path: string): Promise<void> {
    const picture = readPicture(path)
    await this.fleet.refuseBlind(this.session.model)
    this.pictures.push(picture)
    this.sayAttached()
  }

  attachFile(path: string): void {
    this.files.push(readTextFile(path))
    this.sayAttached()
  }
}

function unknown({
  name,
  near,
}: {
  readonly name: string
  readonly near: string | undefined
}): OllamaxError {
  return new OllamaxError('BAD_INPUT', `there is no command /${name}`, {
    suggestions: [...(near ? [`did you mean /${near}?`] : []), '/help lists them'],
  })
}
