import Conf from 'conf'
import {messageOf, OllamaxError} from '../errors.ts'
import {PREFERENCE_VALUES, type Preferences} from './preferences.ts'

const schema = Object.fromEntries(
  Object.entries(PREFERENCE_VALUES).map(([key, allowed]) => [
    key,
    {type: 'string' as const, minLength: 1, ...(allowed ? {enum: [...allowed]} : {})},
  ]),
)

/** Writes one preference by `conf`: validated, as a whole file, for its owner only. */
export function storePreference(
  directory: string,
  key: keyof Preferences,
  value: string | undefined,
): void {
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
    const allowed = PREFERENCE_VALUES[key]
    throw new OllamaxError('BAD_INPUT', `${JSON.stringify(value)} cannot be the value of ${key}`, {
      cause: error,
      suggestions: allowed ? [`use one of ${allowed.join(', ')}`] : [],
    })
  }
}
