import Conf from 'conf'
import {messageOf, OllamaxError} from '../errors.ts'

/**
 * Writes one preference by `conf`: validated, as a whole file, for its owner only. `known` says which
 * values each key may have (undefined: any text). BAD_INPUT.
 */
export function storePreference(
  directory: string,
  {key, value}: {readonly key: string; readonly value: string | undefined},
  known: Readonly<Record<string, readonly string[] | undefined>>,
): void {
  const schema = Object.fromEntries(
    Object.entries(known).map(([name, allowed]) => [
      name,
      {type: 'string' as const, minLength: 1, ...(allowed ? {enum: [...allowed]} : {})},
    ]),
  )
  const store = new Conf<Record<string, string>>({
    cwd: directory,
    configName: 'preferences',
    configFileMode: 0o600,
    clearInvalidConfig: false,
    schema,
  })
  try {
    if (value === undefined) store.delete(key)
    else store.set(key, value)
  } catch (error) {
    if (!messageOf(error).startsWith('Config schema violation')) throw error
    const allowed = known[key]
    throw new OllamaxError('BAD_INPUT', `${JSON.stringify(value)} cannot be the value of ${key}`, {
      cause: error,
      suggestions: allowed ? [`use one of ${allowed.join(', ')}`] : [],
    })
  }
}
