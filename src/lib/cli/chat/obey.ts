import {OllamaxError} from '../../errors.ts'
import {readInput} from '../chat-session.ts'
import {CHAT_COMMANDS, type CommandName, helpRows} from './commands.ts'
import type {RichChat} from './rich-chat.ts'
import {describeSaved, exportSession, loadSession, saveSession} from './saved.ts'
import {answered, lastAnswer, lastQuestion} from './turns.ts'

type Act = (chat: RichChat, rest: string) => void | Promise<void>

const tell = (chat: RichChat, text: string) => chat.screen.say(text, 'dim')

/** What every command does; BAD_INPUT and STATE_IO where it cannot. */
const ACTS: Readonly<Record<CommandName, Act>> = {
  async model(chat, rest) {
    change(chat, 'model', rest)
    const doubt = rest === '' ? undefined : await chat.fleet.doubt(rest)
    if (doubt) tell(chat, doubt)
  },
  system: (chat, rest) => change(chat, 'system', rest),
  set: (chat, rest) => change(chat, 'set', rest),
  options(chat) {
    const set = Object.entries(chat.session.options)
    tell(
      chat,
      set.map(([name, value]) => `${name} ${JSON.stringify(value)}`).join('\n') ||
        'no option is set',
    )
  },
  image: (chat, rest) => chat.attachPicture(needed('image', rest)),
  file: (chat, rest) => chat.attachFile(needed('file', rest)),
  async regenerate(chat) {
    const last = questionOf(chat)
    await chat.ask(last.before, last.question)
  },
  edit(chat) {
    chat.screen.fill(questionOf(chat).question.content, true)
  },
  undo(chat) {
    chat.become(questionOf(chat).before)
    tell(chat, 'the last question and its answer are forgotten')
  },
  copy(chat) {
    const answer = lastAnswer(chat.session)
    if (answer === undefined) throw nothing('there is no answer yet')
    chat.screen.copy(answer)
    tell(
      chat,
      'the last answer is sent to the clipboard; whether it takes it is for the terminal to say',
    )
  },
  async save(chat, rest) {
    const {name, force} = forced(needed('save', rest))
    const known = force || chat.known.has(name)
    const file = await saveSession(chat.tools.paths, chat.session, {name, known})
    chat.known.add(name)
    tell(chat, `saved to ${file}`)
  },
  load(chat, rest) {
    const name = needed('load', rest)
    chat.become(loadSession(chat.tools.paths, name))
    chat.known.add(name)
    tell(chat, `${chat.session.messages.length} messages with ${chat.session.model}`)
    chat.showAll()
  },
  sessions: (chat) => tell(chat, describeSaved(chat.tools.paths, Date.now())),
  async export(chat, rest) {
    const {name: path, force} = forced(needed('export', rest))
    tell(chat, `written to ${await exportSession(chat.session, {path, force})}`)
  },
  clear: (chat) => change(chat, 'clear', ''),
  help: (chat) => chat.screen.sayPairs(helpRows(chat.screen.keys)),
  bye: (chat) => chat.leave(),
}

/** Does what a command says. */
export async function obey(chat: RichChat, name: CommandName, rest: string): Promise<void> {
  await ACTS[name](chat, rest)
}

/** Commands that the line chat has too mean the same here. */
function change(chat: RichChat, name: string, rest: string): void {
  const input = readInput(chat.session, `/${name} ${rest}`)
  if (input.kind === 'session') chat.become(input.session)
  if (input.kind === 'session' || input.kind === 'tell') tell(chat, input.text)
}

function questionOf(chat: RichChat) {
  const last = lastQuestion(chat.session)
  if (!last) throw nothing('nothing was asked yet')
  // A question without an answer is asked anew, not doubled.
  return {...last, before: answered(last.before)}
}

const nothing = (message: string) => new OllamaxError('BAD_INPUT', message)

function needed(name: CommandName, rest: string): string {
  if (rest !== '') return rest
  throw new OllamaxError('BAD_INPUT', `/${name} needs more`, {
    suggestions: [`/${name} ${CHAT_COMMANDS[name].usage}`],
  })
}

function forced(rest: string): {readonly name: string; readonly force: boolean} {
  const name = rest.replace(/\s+--force$/, '')
  return {name, force: name !== rest}
}
