import {OllamaxError} from '../errors.ts'

/** What oclif says of words that a command does not take, as an error of ours; undefined: it is none of that. */
export function usageError(thrown: Error, id: string): OllamaxError | undefined {
  const {code, oclif} = thrown as {code?: string; oclif?: {exit?: number}}
  if (code !== undefined || oclif?.exit !== 2) return undefined
  const [said = ''] = thrown.message.split(/\n(?:See more help|\nNote: )/)
  const message = said
    .replace(/^Parsing (\S+)\s+(\w)/, (_, flag, letter) => `${flag}: ${letter.toLowerCase()}`)
    .replace(/\s*\n\s*/g, ' ')
  return new OllamaxError('BAD_INPUT', message, {
    suggestions: [`ollamax ${id.replaceAll(':', ' ')} --help`],
  })
}
