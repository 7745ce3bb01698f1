import {mkdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {dirname} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {OllamaxError} from '../../../src/lib/errors.ts'
import {type Paths, pathsFor} from '../../../src/lib/state/paths.ts'
import {
  chosenCluster,
  preferencesFile,
  readPreferences,
  writePreference,
} from '../../../src/lib/state/preferences.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
let paths: Paths
let file: string
beforeEach(() => {
  home = tempHome()
  paths = pathsFor(home.env)
  file = preferencesFile(paths)
})
afterEach(() => home.dispose())

const caught = (work: () => unknown): Promise<unknown> =>
  Promise.resolve()
    .then(work)
    .then(
      () => undefined,
      (error: unknown) => error,
    )

function write(text: string): void {
  mkdirSync(dirname(file), {recursive: true})
  writeFileSync(file, text)
}

test('what is written is read, in a file for its owner only', async () => {
  expect(readPreferences(paths)).toEqual({})
  await writePreference(paths, {key: 'output', value: 'plain'})
  await writePreference(paths, {key: 'currentCluster', value: 'lab'})
  await writePreference(paths, {key: 'output', value: undefined})
  expect(readPreferences(paths)).toEqual({currentCluster: 'lab'})
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(statSync(paths.config).mode & 0o777).toBe(0o700)
})

test('keys that this version does not know stay', async () => {
  write('{"later": {"x": 1}, "theme": "dark"}')
  await writePreference(paths, {key: 'theme', value: 'light'})
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({later: {x: 1}, theme: 'light'})
})

test('a value that cannot be is refused, and nothing changes', async () => {
  await writePreference(paths, {key: 'theme', value: 'dark'})
  const error = await caught(() => writePreference(paths, {key: 'theme', value: 'pink'}))
  if (!OllamaxError.is(error, 'BAD_INPUT')) throw error
  expect(error.suggestions).toEqual(['use one of auto, dark, light, none'])
  expect(readPreferences(paths)).toEqual({theme: 'dark'})
})

test.each(['{"theme": "dark"', '[]', '"x"', 'null', '{"theme": "pink"}', '{"currentCluster": 3}'])(
  'the file %j is refused, and left as it is',
  async (text) => {
    write(text)
    const read = await caught(() => readPreferences(paths))
    const written = await caught(() => writePreference(paths, {key: 'output', value: 'json'}))
    for (const error of [read, written]) {
      if (!OllamaxError.is(error, 'CONFIG_INVALID')) throw error
      expect(error.message).toContain(file)
    }
    expect(readFileSync(file, 'utf8')).toBe(text)
  },
)

test('writers at once lose nothing', async () => {
  await Promise.all([
    writePreference(paths, {key: 'output', value: 'json'}),
    writePreference(paths, {key: 'theme', value: 'none'}),
    writePreference(paths, {key: 'defaultModel', value: 'llama3.2'}),
    writePreference(paths, {key: 'currentCluster', value: 'lab'}),
  ])
  expect(readPreferences(paths)).toEqual({
    output: 'json',
    theme: 'none',
    defaultModel: 'llama3.2',
    currentCluster: 'lab',
  })
})

test('the cluster is that of the flag, else of the environment, else of the preference, else default', async () => {
  expect(chosenCluster(paths, undefined, {})).toBe('default')
  await writePreference(paths, {key: 'currentCluster', value: 'preferred'})
  expect(chosenCluster(paths, undefined, {})).toBe('preferred')
  expect(chosenCluster(paths, undefined, {OLLAMAX_CLUSTER: 'env'})).toBe('env')
  expect(chosenCluster(paths, 'flag', {OLLAMAX_CLUSTER: 'env'})).toBe('flag')
})
