import {OllamaxError} from '../errors.ts'

/** How a job asks the person at the terminal. Without a terminal each throws NEEDS_TTY with the flag to use. */
export interface Ask {
  /** False: nobody can be asked. */
  readonly interactive: boolean
  /** Input is not echoed. `without` says what to pass instead where there is no terminal. */
  secret(question: string, without: string): Promise<string>
  confirm(question: string, without: string): Promise<boolean>
  text(question: string, without: string): Promise<string>
  choose(
    question: string,
    choices: readonly {readonly value: string; readonly name: string}[],
    without: string,
  ): Promise<string>
}

/** For where there is no one to ask: each question throws NEEDS_TTY and says what to pass instead. */
export const askNobody: Ask = {
  interactive: false,
  secret: refuse,
  confirm: refuse,
  text: refuse,
  choose: (question, _choices, without) => refuse(question, without),
}

function refuse(question: string, without: string): Promise<never> {
  return Promise.reject(
    new OllamaxError('NEEDS_TTY', `there is no terminal to ask at: ${question}`, {
      suggestions: [without],
    }),
  )
}
