import {OllamaxError} from '../errors.ts'
import type {Tools} from './tools.ts'

/** Asks before something is lost. CONFIRM_NEEDED without a terminal, NOT_CONFIRMED if the answer is no. */
export async function confirmed(
  tools: Pick<Tools, 'ask'>,
  yes: boolean,
  question: string,
): Promise<void> {
  if (yes) return
  if (!tools.ask.interactive)
    throw new OllamaxError('CONFIRM_NEEDED', `there is no terminal to ask at: ${question}`, {
      suggestions: ['pass --yes'],
    })
  if (!(await tools.ask.confirm(question, 'pass --yes')))
    throw new OllamaxError('NOT_CONFIRMED', 'not confirmed; nothing was changed')
}
