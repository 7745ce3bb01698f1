import type {DoneLines} from '../../batch/done-lines.ts'
import {type LineDefaults, type ParsedLine, parseLine} from '../../batch/parse-line.ts'
import {OllamaxError} from '../../errors.ts'
import {fingerprintOf} from './fingerprint.ts'
import {readLines} from './read-lines.ts'

/** A line that has still to be answered. */
export interface TodoLine {
  /** Its number in the input, from 1 on. */
  readonly line: number
  /** The how manieth to be answered, from 0 on. */
  readonly at: number
  readonly fingerprint: string
  readonly characters: number
  readonly parsed: ParsedLine
}

export interface TodoOptions {
  /** As messages name the input. */
  readonly name: string
  readonly defaults: LineDefaults
  readonly done: DoneLines
  /** What is done has to come before what is not. */
  readonly inOrder: boolean
}

/**
 * The lines of an input that are not in the output yet. BAD_INPUT when one that is there was another line then, or when
 * the output has more of them than the input.
 */
export async function* todoLines(
  chunks: AsyncIterable<Uint8Array>,
  {name, defaults, done, inOrder}: TodoOptions,
): AsyncGenerator<TodoLine> {
  let at = 0
  let before = 0
  for await (const {line, text = '', broken} of readLines(chunks)) {
    const fingerprint = fingerprintOf(text, defaults.model)
    if (done.has(line)) {
      if (!done.fits(line, fingerprint))
        throw changed(`line ${line} of ${name} is not what the output has the answer to`)
      if (inOrder && at > 0) throw unordered(line)
      before++
      continue
    }
    const parsed =
      broken === undefined ? parseLine(text, defaults) : ({kind: 'broken', why: broken} as const)
    yield {line, at: at++, fingerprint, characters: text.length, parsed}
  }
  if (before < done.answered + done.failed)
    throw changed(`${name} lacks lines that the output has answers to`)
}

function changed(what: string): OllamaxError {
  return new OllamaxError('BAD_INPUT', what, {
    suggestions: [
      'the input or --model was changed since: give them as they were',
      'or begin anew with another output: -o OUT.jsonl',
    ],
  })
}

function unordered(line: number): OllamaxError {
  return new OllamaxError(
    'BAD_INPUT',
    `--keep-order: the output has line ${line} already, and lacks some before it`,
    {suggestions: ['go on without --keep-order', 'or begin anew with another output']},
  )
}
