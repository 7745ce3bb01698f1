import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {OllamaxError} from '../errors.ts'
import {DEFAULT_CLUSTER} from './load.ts'
import type {Paths} from './paths.ts'
import {cannot} from './write-file.ts'

/** What this user likes; every part may be absent. */
export interface Preferences {
  readonly currentCluster?: string
  readonly defaultModel?: string
  readonly output?: 'auto' | 'table' | 'plain' | 'json'
  readonly theme?: 'auto' | 'dark' | 'light' | 'none'
}

export const preferencesFile = (paths: Pick<Paths, 'config'>) =>
  join(paths.config, 'preferences.json')

/** The preferences as they are now, read without a library: every command asks for them. STATE_IO. */
export function readPreferences(paths: Pick<Paths, 'config'>): Preferences {
  const file = preferencesFile(paths)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as {code?: string}).code === 'ENOENT') return {}
    throw cannot('read', file, error)
  }
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch (error) {
    throw brokenPreferences(file, error)
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found))
    throw brokenPreferences(file, undefined)
  return found
}

function brokenPreferences(file: string, cause: unknown): OllamaxError {
  return new OllamaxError('CONFIG_INVALID', `${file} is not the JSON object that it should be`, {
    cause,
    suggestions: ['mend it by hand', `or begin anew: mv ${file} ${file}.old`],
  })
}

/** Which cluster a command works on: the flag, else the environment, else the preference, else `default`. */
export function chosenCluster(
  paths: Pick<Paths, 'config'>,
  flag: string | undefined,
  env: Readonly<NodeJS.ProcessEnv>,
): string {
  return flag || env.OLLAMAX_CLUSTER || readPreferences(paths).currentCluster || DEFAULT_CLUSTER
}
