import {isatty} from 'node:tty'
import {defaultModel} from '../../jobs/config-settings.ts'
import type {Tools} from '../../jobs/tools.ts'
import {bodyOf} from '../answer-body.ts'
import type {AnswerFlags, RouteFlags} from '../answer-flags.ts'
import type {ScreenOptions} from '../answer-screen.ts'
import type {ChatSession} from '../chat-session.ts'

export interface ChatHereOptions {
  /** Default: that of the conversation that is loaded, else the preference. */
  readonly model: string | undefined
  readonly flags: AnswerFlags & RouteFlags & ChatFlags
  readonly signal: AbortSignal
  /** Nothing is written to stdout. */
  readonly json?: boolean
  readonly drawn?: NonNullable<ScreenOptions['drawn']>
}

/** What only a chat can be told. */
export interface ChatFlags {
  /** Line by line also at a terminal. */
  readonly plain?: boolean
  readonly load?: string | undefined
  /** False: what is said is not kept for the next chat. */
  readonly history?: boolean
}

/**
 * A conversation with a model: at a terminal with all that it can show, otherwise, and for those who want it so, line by
 * line. Resolves with the conversation when it is over. BAD_INPUT, STATE_IO; what an answer can throw from a pipe.
 */
export async function chatHere(tools: Tools, options: ChatHereOptions): Promise<ChatSession> {
  const session = await beginning(tools, options)
  if (options.json || options.flags.plain || !isRich(process.env)) {
    const {lineChat} = await import('../line-chat.ts')
    return lineChat(tools, session, options)
  }
  const {richChat} = await import('./rich-chat.ts')
  return richChat(tools, session, options)
}

/** A terminal that can be drawn on, and nobody who would rather have lines: a screen reader reads those. */
function isRich(env: Readonly<NodeJS.ProcessEnv>): boolean {
  if (!isatty(0) || !isatty(1) || env.TERM === 'dumb') return false
  return env.OLLAMAX_OUTPUT !== 'plain' && env.INK_SCREEN_READER !== 'true'
}

async function beginning(tools: Tools, {model, flags}: ChatHereOptions): Promise<ChatSession> {
  const {options = {}} = bodyOf(flags)
  const loaded = flags.load === undefined ? undefined : await load(tools, flags.load)
  return {
    options: {...loaded?.options, ...options},
    messages: loaded?.messages ?? [],
    model: model ?? loaded?.model ?? defaultModel(tools),
    ...(loaded?.system === undefined ? {} : {system: loaded.system}),
    ...(flags.system === undefined ? {} : {system: flags.system}),
  }
}

async function load(tools: Tools, name: string): Promise<ChatSession> {
  const {loadSession} = await import('./saved.ts')
  return loadSession(tools.paths, name)
}
