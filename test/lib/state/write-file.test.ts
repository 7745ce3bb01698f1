import {mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {OllamaxError} from '../../../src/lib/errors.ts'
import {writeWhole} from '../../../src/lib/state/write-file.ts'
import {needs} from '../../support/needs.ts'
import {runCli} from '../../support/run-cli.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
beforeEach(() => {
  home = tempHome()
})
afterEach(() => home.dispose())

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

test('a file is replaced as a whole, for its owner only, whatever it was before', async () => {
  const file = join(home.dir, 'a/b.yaml')
  await writeWhole(file, 'one')
  writeFileSync(file, 'open to all', {mode: 0o644})
  await writeWhole(file, 'two')
  expect(readFileSync(file, 'utf8')).toBe('two')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readdirSync(join(home.dir, 'a'))).toEqual(['b.yaml'])
})

test('a directory in the place of the file is named, and no litter is left', async () => {
  mkdirSync(join(home.dir, 'b.yaml'))
  const error = await caught(writeWhole(join(home.dir, 'b.yaml'), 'text'))
  if (!OllamaxError.is(error, 'STATE_IO')) throw error
  expect(error.message).toContain('it is a directory')
  expect(readdirSync(home.dir)).toEqual(['b.yaml'])
})

/** Runs commands in a mount namespace where the cluster files lie on a file system of `options`. */
const onFileSystem = (options: string, script: string) => [
  'unshare',
  '-m',
  'sh',
  '-c',
  `mount -t tmpfs -o ${options} none "$OLLAMAX_HOME" && ${script}; "$@"; code=$?; cat "$OLLAMAX_HOME/clusters/lab.yaml" >&2; ls -A "$OLLAMAX_HOME/clusters" >&2; exit $code`,
  'sh',
]

const BIG = `apiVersion: ollamax/v1\nkind: Cluster\n${'# a comment that takes its room\n'.repeat(4000)}`

needs('root', 'unshare')('a full disk leaves the old file and says what to do', async () => {
  mkdirSync(join(home.dir, 'ollamax'))
  const old = 'mkdir "$OLLAMAX_HOME/clusters" && echo old-text >"$OLLAMAX_HOME/clusters/lab.yaml"'
  const {code, stderr} = await runCli(['cluster', 'import', '-', '--name', 'lab', '--yes'], {
    env: home.env,
    stdin: BIG,
    wrap: onFileSystem('size=64k', old),
  })
  expect(code).toBe(1)
  expect(stderr).toContain('no space is left on the device')
  expect(stderr).toMatch(/old-text\nlab\.yaml\n$/)
})

needs('root', 'unshare')('a read-only file system is named, and nothing changes', async () => {
  mkdirSync(join(home.dir, 'ollamax'))
  const old =
    'mkdir "$OLLAMAX_HOME/clusters" && echo old-text >"$OLLAMAX_HOME/clusters/lab.yaml" && mount -o remount,ro "$OLLAMAX_HOME"'
  const {code, stderr} = await runCli(['cluster', 'import', '-', '--name', 'lab', '--yes'], {
    env: home.env,
    stdin: 'apiVersion: ollamax/v1\nkind: Cluster\n',
    wrap: onFileSystem('size=64k', old),
  })
  expect(code).toBe(1)
  expect(stderr).toContain('the file system is read-only')
  expect(stderr).toMatch(/old-text\nlab\.yaml\n$/)
})
