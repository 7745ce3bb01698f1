import {OllamaxError} from '../errors.ts'
import type {RunOptions} from '../jobs/run-model.ts'
import {type AnswerResult, printAnswer, ReaderGone} from './answer.ts'
import type {RouteFlags} from './answer-flags.ts'
import {BaseCommand} from './base-command.ts'

/** A command that lets a model answer once, to this terminal. */
export abstract class AnswerCommand extends BaseCommand {
  /** Prints the answer as it comes. A reader that has left ends the command quietly. Throws what `printAnswer` throws. */
  protected async answer(
    body: RunOptions['body'],
    flags: RouteFlags & {readonly cluster?: string | undefined; readonly reuse?: boolean},
    chunks = false,
  ): Promise<AnswerResult> {
    if (!body.model.trim()) throw new OllamaxError('BAD_INPUT', 'the name of the model is empty')
    const {signal, drawn} = this
    const options = {flags, chunks, signal, json: this.jsonEnabled(), drawn}
    try {
      return await printAnswer(this.tools(flags), body, options)
    } catch (error) {
      if (error instanceof ReaderGone) return this.exit(0)
      throw error
    }
  }
}
