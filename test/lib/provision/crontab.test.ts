import {spawnSync} from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {TAKE_SUPERVISOR} from '../../../src/lib/provision/removal-scripts.ts'
import {SUPERVISE} from '../../../src/lib/provision/scripts.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ollamax-crontab-'))
  mkdirSync(join(dir, 'root/.ollamax'), {recursive: true})
  mkdirSync(join(dir, 'bin'))
  // A crontab(1) over a file: as the real one, -l fails where there is none.
  program(
    'bin/crontab',
    `t=${dir}/table
case $1 in
  -l) [ ! -e ${dir}/broken ] || { echo "crontab: cannot open it: Permission denied" >&2; exit 1; }
      [ -e "$t" ] || { echo "no crontab for me" >&2; exit 1; }; cat "$t" ;;
  -r) rm -f "$t" ;;
  -) cat >"$t" ;;
esac`,
  )
  program('root/supervise.sh', 'exit 0')
})
afterEach(() => rmSync(dir, {recursive: true, force: true}))

function program(name: string, body: string): void {
  writeFileSync(join(dir, name), `#!/bin/sh\n${body}\n`)
  chmodSync(join(dir, name), 0o755)
}
const table = () =>
  existsSync(join(dir, 'table')) ? readFileSync(join(dir, 'table'), 'utf8') : undefined
const run = (script: string, ...more: string[]) =>
  spawnSync('sh', ['-c', script, 'sh', join(dir, 'root'), ...more], {
    env: {...process.env, PATH: `${join(dir, 'bin')}:${process.env.PATH}`},
    encoding: 'utf8',
  })
const line = () => `@reboot "${join(dir, 'root')}/supervise.sh"\n`

test('the supervisor is put into the crontab once, beside the lines that are there, and taken out alone', () => {
  writeFileSync(join(dir, 'table'), '0 4 * * * backup\n')
  for (let i = 0; i < 2; i++) expect(run(SUPERVISE, '1')).toMatchObject({status: 0})
  expect(table()).toBe(`0 4 * * * backup\n${line()}`)
  expect(run(TAKE_SUPERVISOR)).toMatchObject({status: 0})
  expect(table()).toBe('0 4 * * * backup\n')
})

test('an account without a crontab gets one, and has none again afterwards', () => {
  expect(run(SUPERVISE, '1')).toMatchObject({status: 0})
  expect(table()).toBe(line())
  expect(run(TAKE_SUPERVISOR)).toMatchObject({status: 0})
  expect(table()).toBeUndefined()
})

test('a crontab that cannot be read is not taken for an empty one', () => {
  writeFileSync(join(dir, 'table'), '0 4 * * * backup\n')
  writeFileSync(join(dir, 'broken'), '')
  const done = run(SUPERVISE, '1')
  expect(done.status).not.toBe(0)
  expect(done.stderr).toContain('Permission denied')
  run(TAKE_SUPERVISOR)
  expect(table()).toBe('0 4 * * * backup\n')
})
