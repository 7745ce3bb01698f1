import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {OllamaxError} from '../errors.ts'
import {DEFAULT_CLUSTER} from './load.ts'
import {withLock} from './lock.ts'
import type {Paths} from './paths.ts'
import {cannot} from './write-file.ts'

/** What this user likes; every part may be absent. */
export interface Preferences {
  readonly currentCluster?: string
  readonly defaultModel?: string
  readonly output?: 'auto' | 'table' | 'plain' | 'json'
  readonly theme?: 'auto' | 'dark' | 'light' | 'none'
}

/** The values that a preference may have; undefined: any text. */
export const PREFERENCE_VALUES: {
  readonly [K in keyof Preferences]-?: readonly string[] | undefined
} = {
  currentCluster: undefined,
  defaultModel: undefined,
  output: ['auto', 'table', 'plain', 'json'],
  theme: ['auto', 'dark', 'light', 'none'],
}

export const preferencesFile = (paths: Pick<Paths, 'config'>) =>
  join(paths.config, 'preferences.json')

/**
 * The preferences as they are now, read without a library: every command asks for them. Keys that are
 * not known are passed over. CONFIG_INVALID for a file that is not what it should be; STATE_IO.
 */
export function readPreferences(paths: Pick<Paths, 'config'>): Preferences {
  const file = preferencesFile(paths)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as {code?: string}).code === 'ENOENT') return {}
    throw cannot('read', file, error)
  }
  let found: Readonly<Record<string, unknown>> | null
  try {
    found = JSON.parse(text)
  } catch (error) {
    throw broken(file, 'is not valid JSON', error)
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found))
    throw broken(file, 'is not a JSON object')
  for (const [key, allowed] of Object.entries(PREFERENCE_VALUES)) {
    const value = found[key]
    if (value === undefined) continue
    if (typeof value !== 'string' || value === '' || (allowed && !allowed.includes(value)))
      throw broken(
        file,
        `has ${key}: ${JSON.stringify(value)}, which is not ${allowed ? `one of ${allowed.join(', ')}` : 'a text'}`,
      )
  }
  return found
}

function broken(file: string, what: string, cause?: unknown): OllamaxError {
  return new OllamaxError('CONFIG_INVALID', `${file} ${what}`, {
    cause,
    suggestions: ['mend it by hand', `or begin anew: mv ${file} ${file}.old`],
  })
}

/**
 * Sets one preference, under a lock; `undefined` takes it away. A broken file is refused as it is, so
 * nothing in it is lost. BAD_INPUT for a value that it cannot have.
 */
export async function writePreference<K extends keyof Preferences>(
  paths: Pick<Paths, 'config'>,
  {key, value}: {readonly key: K; readonly value: string | undefined},
  signal?: AbortSignal,
): Promise<void> {
  const {storePreference} = await import('./conf-store.ts')
  await withLock(
    paths.config,
    async () => {
      readPreferences(paths)
      try {
        storePreference(paths.config, {key, value}, PREFERENCE_VALUES)
      } catch (error) {
        throw cannot('write', preferencesFile(paths), error)
      }
    },
    {signal, why: `setting ${key}`},
  )
}

/** Which cluster a command works on: the flag, else the environment, else the preference, else `default`. */
export function chosenCluster(
  paths: Pick<Paths, 'config'>,
  flag: string | undefined,
  env: Readonly<NodeJS.ProcessEnv>,
): string {
  return flag || env.OLLAMAX_CLUSTER || readPreferences(paths).currentCluster || DEFAULT_CLUSTER
}
