import type {Prompt} from 'ssh2'
import {OllamaxError} from '../../errors.ts'
import type {AuthOptions, Step} from './auth-step.ts'

/** The password that nobody has to be asked for. */
export function givenPassword({secrets, env}: AuthOptions): string | undefined {
  return secrets?.password ?? env.OLLAMAX_SSH_PASSWORD
}

/** Up to three tries with questions, or one with an answer that is already there: a wrong one is not repeated. */
export function* talkSteps(method: string, options: AuthOptions): Generator<Step> {
  const {target, ask, deadline} = options
  const given = givenPassword(options)
  const tries = given === undefined ? 3 : 1
  if (given === undefined && !ask?.interactive) return
  const username = target.user
  const secret = async () => {
    if (given !== undefined) return given
    const question = `Password of ${username}@${target.alias}`
    return deadline.paused(async () => ask?.secret(question, 'OLLAMAX_SSH_PASSWORD') ?? '')
  }
  for (let at = 0; at < tries; at++) {
    if (method === 'password') {
      const make = async () => ({type: method, username, password: await secret()}) as const
      yield {method, label: method, make}
    } else {
      yield {
        method: 'keyboard-interactive',
        label: 'keyboard-interactive',
        make: async () => talk(options),
      }
    }
  }
}

/** One conversation, in which the server may ask several times. */
function talk(options: AuthOptions) {
  const given = givenPassword(options)
  let used = false
  const answer = async (prompts: readonly Prompt[], instructions: string): Promise<string[]> => {
    const [first] = prompts
    if (!first) return []
    if (given !== undefined && !used && prompts.length === 1 && asksForPassword(first)) {
      used = true
      return [given]
    }
    const {ask, deadline, target} = options
    const who = `${target.user}@${target.alias}`
    if (!ask?.interactive) throw unanswered(who, prompts)
    const list: string[] = []
    for (const {prompt, echo} of prompts) {
      const question = `${who}: ${instructions ? `${instructions} ` : ''}${prompt}`
      const put = () =>
        echo ? ask.text(question, 'a terminal') : ask.secret(question, 'a terminal')
      list.push(await deadline.paused(put))
    }
    return list
  }
  return {
    type: 'keyboard-interactive',
    username: options.target.user,
    prompt(_: string, instructions: string, __: string, prompts: Prompt[], finish: Finish) {
      answer(prompts, instructions).then(finish, options.fail)
    },
  } as const
}

type Finish = (answers: string[]) => void

/**
 * True for a hidden question that is about the account's password and no other secret: a one-time code
 * would be wasted, and a new password must not become the old one.
 */
function asksForPassword({prompt, echo}: Prompt): boolean {
  const other = /one.?time|\botp\b|token|code|\bpin\b|\bnew\b|retype|again|repeat|confirm/i
  return echo !== true && /passwor[dt]/i.test(prompt) && !other.test(prompt)
}

function unanswered(who: string, prompts: readonly Prompt[]): OllamaxError {
  const asked = prompts.map(({prompt}) => `"${prompt.trim().slice(0, 200)}"`).join(' and ')
  return new OllamaxError('NEEDS_TTY', `${who} asks ${asked}, and there is no terminal to ask at`, {
    suggestions: [
      'run it on a terminal, or let a key in there that needs no question (ssh-copy-id)',
      'OLLAMAX_SSH_PASSWORD answers one hidden question for the password, and nothing else',
    ],
  })
}
