import {Args, Flags} from '@oclif/core'
import type {AnswerResult} from '../lib/cli/answer.ts'
import {routeOf} from '../lib/cli/answer.ts'
import {routeFlags} from '../lib/cli/answer-flags.ts'
import {answerScreen} from '../lib/cli/answer-screen.ts'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {readStdin} from '../lib/cli/read-prompt.ts'
import {OllamaxError} from '../lib/errors.ts'
import {withDeadline} from '../lib/jobs/deadline.ts'
import {embedTexts} from '../lib/jobs/embed-texts.ts'

/** Vectors of the texts, in their order, and the node that made them. */
export interface EmbedResult extends Pick<AnswerResult, 'model' | 'node' | 'attempts'> {
  readonly embeddings: ReadonlyArray<readonly number[]>
  readonly counts: {readonly prompt?: number}
  readonly durations: {readonly totalMs?: number; readonly loadMs?: number}
}

const {node, policy, timeout, explain, reuse} = routeFlags()

export default class Embed extends BaseCommand {
  static override summary = 'turn texts into vectors, one JSON array per line'
  static override examples = [
    '<%= config.bin %> embed nomic-embed-text "the first text" "the second text"',
    '<%= config.bin %> embed nomic-embed-text --lines --json < sentences.txt',
  ]
  static override args = {
    model: Args.string({description: 'name of the model', required: true}),
    text: Args.string({
      multiple: true,
      ignoreStdin: true,
      description: 'texts to embed; with none, standard input',
    }),
  }
  static override flags = {
    lines: Flags.boolean({summary: 'each line of standard input is a text of its own'}),
    dimensions: Flags.integer({summary: 'length of the vectors', min: 1}),
    node,
    policy,
    timeout,
    explain,
    reuse,
  }

  async run(): Promise<EmbedResult> {
    const {args, flags} = await this.parse(Embed)
    const words = args.text ?? []
    const piped = words.length > 0 ? '' : await readStdin(this.signal)
    const texts = [...words, ...(flags.lines ? piped.split(/\r?\n/) : [piped])].filter(Boolean)
    if (texts.length === 0)
      throw new OllamaxError('BAD_INPUT', 'there is no text to embed', {
        suggestions: [`ollamax embed ${args.model} "some text"`, 'or pipe it in'],
      })
    const {dimensions} = flags
    const body = {model: args.model, input: texts, ...(dimensions ? {dimensions} : {})}
    const {timeoutMs, ...route} = routeOf(flags)
    const screen = await answerScreen({
      json: this.jsonEnabled(),
      explain: flags.explain,
      drawn: this.drawn,
    })
    const limit = withDeadline([this.signal, screen.gone], timeoutMs)
    try {
      const options = {body, ...route, signal: limit.signal, note: screen.note}
      const {stats, ...reply} = await embedTexts(this.tools(flags), options)
      screen.end()
      for (const vector of reply.embeddings) this.say(JSON.stringify(vector))
      const {promptTokens, totalMs, loadMs} = stats
      return {
        ...reply,
        counts: promptTokens === undefined ? {} : {prompt: promptTokens},
        durations: {
          ...(totalMs === undefined ? {} : {totalMs}),
          ...(loadMs === undefined ? {} : {loadMs}),
        },
      }
    } catch (error) {
      if (screen.gone.aborted) return this.exit(0)
      throw error
    } finally {
      screen.end()
      limit.end()
    }
  }
}
