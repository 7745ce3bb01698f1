import {createReadStream} from 'node:fs'
import {OllamaxError} from '../../errors.ts'
import {cannot} from '../../state/write-file.ts'
import {type TodoOptions, todoLines} from './todo-lines.ts'

/** Broken lines that are told one by one. */
const TOLD = 10

/**
 * Looks a file through before the first request is sent, and counts what has to be done. BAD_INPUT where lines are
 * broken, unless those may be left out, and as `todoLines` says; STATE_IO if it cannot be read.
 */
export async function surveyInput(
  path: string,
  options: TodoOptions & {readonly skipBroken: boolean; readonly signal: AbortSignal},
): Promise<number> {
  const {signal, skipBroken, name} = options
  const broken: string[] = []
  let count = 0
  let bad = 0
  try {
    for await (const {line, parsed} of todoLines(createReadStream(path, {signal}), options)) {
      count++
      if (parsed.kind !== 'broken') continue
      bad++
      if (broken.length < TOLD) broken.push(`line ${line}: ${parsed.why}`)
    }
  } catch (error) {
    signal.throwIfAborted()
    throw OllamaxError.is(error) ? error : cannot('read', path, error)
  }
  if (bad === 0 || skipBroken) return count
  const more = bad > broken.length ? `; and ${bad - broken.length} more` : ''
  throw new OllamaxError(
    'BAD_INPUT',
    `${name} has ${bad === 1 ? 'a line' : `${bad} lines`} that cannot be asked: ${broken.join('; ')}${more}`,
    {
      suggestions: ['mend them; nothing was sent yet', 'or take them for failed: --skip-broken'],
      details: {broken},
    },
  )
}
