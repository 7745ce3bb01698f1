import {parseDuration} from '../cluster/size.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import type {AnswerFlags} from './answer-flags.ts'
import {readFlagFile} from './read-prompt.ts'
import {schemaProblem} from './schema-problem.ts'

type JsonObject = Readonly<Record<string, unknown>>

/** The part of a request that generate and chat have in common; what was not asked for is not in it. */
export interface AnswerBody {
  readonly options?: JsonObject
  readonly format?: 'json' | JsonObject
  readonly think?: boolean
  readonly keep_alive?: string | number
}

/** BAD_INPUT for a flag whose value cannot be used. */
export function bodyOf(flags: AnswerFlags): AnswerBody {
  const options = optionsOf(flags)
  const keep = flags['keep-alive']
  return {
    ...(options ? {options} : {}),
    ...(flags.format === undefined ? {} : {format: formatOf(flags.format)}),
    ...(flags.think === undefined ? {} : {think: flags.think}),
    ...(keep === undefined ? {} : {keep_alive: keepAliveOf(keep)}),
  }
}

/** All that the flags say of a request with one prompt. BAD_INPUT. */
export function requestOf(flags: AnswerFlags) {
  const {system} = flags
  return {...(system === undefined ? {} : {system}), ...bodyOf(flags), ...imagesOf(flags)}
}

/** The images as base64. BAD_INPUT. */
export function imagesOf(flags: Pick<AnswerFlags, 'image'>): {images?: readonly string[]} {
  if (!flags.image || flags.image.length === 0) return {}
  return {images: flags.image.map((path) => readFlagFile('image', path).toString('base64'))}
}

/** One `key=value` of --option; a value that reads as JSON is taken as that, anything else as text. */
export function optionOf(text: string): readonly [key: string, value: unknown] {
  const equals = text.indexOf('=')
  const key = text.slice(0, equals).trim()
  if (equals < 1 || !key)
    throw new OllamaxError('BAD_INPUT', `"${text}" is no option`, {
      suggestions: ['write it like --option temperature=0.2'],
    })
  const value = text.slice(equals + 1)
  try {
    return [key, JSON.parse(value)]
  } catch {
    return [key, value]
  }
}

function optionsOf(flags: AnswerFlags): JsonObject | undefined {
  const options: Record<string, unknown> = {}
  for (const text of flags.option ?? []) {
    const [key, value] = optionOf(text)
    // Several stop words are given by repeating the option.
    const before = options[key]
    options[key] = before === undefined ? value : [before, value].flat()
  }
  if (flags['num-ctx'] !== undefined) options.num_ctx = flags['num-ctx']
  if (flags.seed !== undefined) options.seed = flags.seed
  return Object.keys(options).length > 0 ? options : undefined
}

function keepAliveOf(text: string): string | number {
  if (/^-?\d+$/.test(text)) return Number(text)
  parseDuration(text.replace(/^-/, ''))
  return text
}

function formatOf(text: string): 'json' | JsonObject {
  if (text === 'json') return 'json'
  const bad = (why: string, cause?: unknown) =>
    new OllamaxError('BAD_INPUT', `--format ${text} is no JSON schema: ${why}`, {
      cause,
      suggestions: [
        '--format json for any JSON',
        'a file like {"type": "object", "properties": {...}}',
      ],
    })
  let schema: unknown
  try {
    schema = JSON.parse(readFlagFile('format', text).toString())
  } catch (error) {
    throw OllamaxError.is(error) ? error : bad(messageOf(error), error)
  }
  const problem = schemaProblem(schema)
  if (problem !== undefined) throw bad(problem)
  return schema as JsonObject
}
