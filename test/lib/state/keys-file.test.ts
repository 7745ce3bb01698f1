import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import {dirname, join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import type {Key} from '../../../src/lib/auth/key.ts'
import {makeKeyId, makeToken} from '../../../src/lib/auth/make-token.ts'
import {OllamaxError} from '../../../src/lib/errors.ts'
import {changeKeys, keysFile, loadKeys} from '../../../src/lib/state/keys-file.ts'
import {clusterFile, emptyCluster} from '../../../src/lib/state/load.ts'
import {withLock} from '../../../src/lib/state/lock.ts'
import {type Paths, pathsFor} from '../../../src/lib/state/paths.ts'
import {writeWhole} from '../../../src/lib/state/write-file.ts'
import {ollamaSigner} from '../../support/ollama-signer.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

const ADD = join(import.meta.dirname, '../../support/state/add-key.ts')

let home: TempHome
let paths: Paths
let file: string
beforeEach(async () => {
  home = tempHome()
  paths = pathsFor(home.env)
  file = keysFile(paths, 'lab')
  await writeWhole(clusterFile(paths, 'lab'), emptyCluster('lab'))
})
afterEach(() => home.dispose())

const key = (name: string, change: Partial<Key> = {}): Key =>
  ({kind: 'token', id: makeKeyId(), name, createdAtMs: 1, hash: makeToken().hash, ...change}) as Key
const put = (...keys: readonly Key[]) => changeKeys(paths, 'lab', () => ({keys, result: 'done'}))

async function failure(work: Promise<unknown>): Promise<OllamaxError> {
  try {
    await work
  } catch (error) {
    if (OllamaxError.is(error)) return error
    throw error
  }
  throw new Error('it did not fail')
}

const FULL = {
  expiresAtMs: 1_900_000_000_000,
  models: ['llama3.2', 'qwen3:*'],
  ratePerMinute: 1000 / 60,
  weight: 3,
  priority: 'high',
  allowContinue: true,
  admin: true,
} as const

test('without a file there are no keys; what is written is read again as it was', async () => {
  expect(await loadKeys(paths, 'lab')).toEqual([])
  const ssh = {id: makeKeyId(), name: 'bob', createdAtMs: 2, publicKey: ollamaSigner().publicKey}
  const keys: Key[] = [key('a'), key('b', FULL), {kind: 'ssh', ...ssh, ...FULL}]
  expect(await put(...keys)).toBe('done')
  expect(await loadKeys(paths, 'lab')).toEqual(keys)
})

test('the file is for its owner alone, whatever mode it had, and its directory as well', async () => {
  await put(key('a'))
  chmodSync(file, 0o644)
  await put(key('a'))
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(statSync(dirname(file)).mode & 0o777).toBe(0o700)
})

const sound = () => JSON.parse(JSON.stringify(key('a'))) as Record<string, unknown>
const entries = (...keys: unknown[]) => JSON.stringify({format: 1, keys})
const twice = (change: (first: Record<string, unknown>) => Record<string, unknown>) => {
  const first = sound()
  return entries(first, {...sound(), name: 'b', ...change(first)})
}

test.each([
  ['an empty file', () => '', 'is not valid JSON'],
  ['half a file', () => entries(sound()).slice(0, -30), 'is not valid JSON'],
  ['a null', () => 'null', 'is not a file of keys'],
  ['a list', () => '[]', 'is not a file of keys'],
  ['no format', () => '{"keys":[]}', 'is not a file of keys'],
  ['no keys', () => '{"format":1}', 'cannot be used: keys'],
  ['a later format', () => '{"format":2,"keys":[]}', 'was written by a later version'],
  ['a key that is none', () => entries(sound(), 7), 'keys[1]'],
  ['a key of an unknown kind', () => entries({...sound(), kind: 'x'}), 'keys[0]'],
  ['a limit that is not known', () => entries({...sound(), maxTokens: 5}), 'maxTokens'],
  ['a hash that is none', () => entries({...sound(), hash: 'abc'}), 'keys[0].hash'],
  ['a hash in capitals', () => entries({...sound(), hash: 'A'.repeat(64)}), 'keys[0].hash'],
  ['no list but an empty one', () => entries({...sound(), models: []}), 'keys[0].models'],
  ['a model that is none', () => entries({...sound(), models: ['a b']}), 'keys[0].models[0]'],
  ['an expiry that is a text', () => entries({...sound(), expiresAtMs: '2030'}), 'expiresAtMs'],
  ['a rate of nothing', () => entries({...sound(), ratePerMinute: 0}), 'ratePerMinute'],
  ['two of one name', () => twice(() => ({name: 'a'})), 'two keys share "a"'],
  ['two of one hash', () => twice(({hash}) => ({hash})), 'two keys share a secret'],
  ['a name that is another id', () => twice(({id}) => ({name: id})), 'two keys share'],
  ['bytes that are no text', () => Buffer.from([0xff, 0xfe, 0x00]), 'is not a text in UTF-8'],
])(
  '%s is an error that names the file, for those who read and those who write',
  async (_, text, why) => {
    writeFileSync(file, text())
    const before = readFileSync(file)
    for (const work of [() => loadKeys(paths, 'lab'), () => put(key('new'))]) {
      const error = await failure(work())
      expect(error.code).toBe('CONFIG_INVALID')
      expect(error.message).toContain(file)
      expect(error.message).toContain(why)
      expect(error.message).not.toContain(String(sound().hash))
    }
    expect(readFileSync(file)).toEqual(before)
  },
)

test('a directory in its place, or a file far too large, is an error and no empty list', async () => {
  writeFileSync(file, ' '.repeat(5 * 2 ** 20))
  expect((await failure(loadKeys(paths, 'lab'))).code).toBe('CONFIG_INVALID')
  mkdirSync(keysFile(paths, 'dir'), {recursive: true})
  expect((await failure(loadKeys(paths, 'dir'))).code).toBe('STATE_IO')
})

test('a change that throws, or comes to keys that cannot be, changes nothing', async () => {
  await put(key('a'))
  const before = readFileSync(file, 'utf8')
  const thrown = changeKeys(paths, 'lab', () => {
    throw new OllamaxError('KEY_NOT_FOUND', 'none')
  })
  expect((await failure(thrown)).code).toBe('KEY_NOT_FOUND')
  expect((await failure(put(key('a'), key('a')))).code).toBe('BAD_INPUT')
  expect((await failure(put(key('a b')))).code).toBe('BAD_INPUT')
  const many = Array.from({length: 30_000}, (_, at) => key(`k${at}`))
  expect((await failure(put(...many))).message).toContain('more keys than')
  expect(readFileSync(file, 'utf8')).toBe(before)
  expect(readdirSync(dirname(file)).sort()).toEqual(['lab.keys.json', 'lab.yaml'])
})

test('a cluster that is not there gets no keys; the one that needs no file gets its file with them', async () => {
  expect((await failure(changeKeys(paths, 'no', () => ({keys: [], result: 0})))).code).toBe(
    'CLUSTER_NOT_FOUND',
  )
  const fresh = pathsFor({OLLAMAX_HOME: join(home.dir, 'fresh')})
  await changeKeys(fresh, 'default', () => ({keys: [key('a')], result: 0}))
  expect(existsSync(clusterFile(fresh, 'default'))).toBe(true)
  expect(await loadKeys(fresh, 'default')).toHaveLength(1)
})

test('the lock of the cluster files serves the keys: who waits can be told to stop', async () => {
  const stop = new AbortController()
  await withLock(dirname(file), async () => {
    const waiting = changeKeys(paths, 'lab', () => ({keys: [key('a')], result: 0}), {
      signal: stop.signal,
    })
    stop.abort(new OllamaxError('INTERRUPTED', 'enough'))
    expect((await failure(waiting)).code).toBe('INTERRUPTED')
  })
  expect(existsSync(file)).toBe(false)
})

test('of 20 processes that add a key at once none is lost', async () => {
  const wanted = Array.from({length: 20}, (_, at) => `k${at}`)
  const ended = await Promise.all(
    wanted.map(async (name) => {
      const child = spawn(process.execPath, [ADD, name], {
        env: home.env,
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      let stderr = ''
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk.toString()
      })
      const [code] = (await once(child, 'close')) as [number | null]
      return {code, stderr}
    }),
  )
  expect(ended).toEqual(wanted.map(() => ({code: 0, stderr: ''})))
  const names = (await loadKeys(paths, 'lab')).map(({name}) => name)
  expect(names.sort()).toEqual(wanted.sort())
  expect(readdirSync(dirname(file)).sort()).toEqual(['lab.keys.json', 'lab.yaml'])
}, 120_000)
