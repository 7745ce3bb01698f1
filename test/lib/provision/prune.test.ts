import {spawnSync} from 'node:child_process'
import {mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {PRUNE} from '../../../src/lib/provision/scripts.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

// Old versions on a host, as the script leaves them.

let home: TempHome
let root: string
beforeEach(() => {
  home = tempHome()
  root = join(home.dir, 'ollama with space')
  mkdirSync(join(root, '.ollamax'), {recursive: true})
})
afterEach(() => home.dispose())

function tree(name: string, ageS: number): void {
  mkdirSync(join(root, name))
  const mark = join(root, name, '.ollamax-sha256')
  writeFileSync(mark, 'x')
  utimesSync(mark, Date.now() / 1000 - ageS, Date.now() / 1000 - ageS)
}
const prune = (keep: number) => {
  const ran = spawnSync('sh', ['-c', PRUNE, 'sh', root, `${keep}`], {encoding: 'utf8'})
  expect(ran.status, ran.stderr).toBe(0)
  return ran.stdout.split('\n').filter(Boolean).sort()
}
const left = () => readdirSync(root).sort()

test('the version that runs, the one before it and the youngest of the others stay', () => {
  for (const [at, name] of ['0.30.0', '0.31.0', '0.32.0', '0.33.0', '0.34.0'].entries())
    tree(name, 500 - at * 100)
  // Rolled back to an old one: age alone tells nothing.
  symlinkSync('0.30.0', join(root, 'current'))
  writeFileSync(join(root, '.ollamax/previous'), '0.32.0\n')
  expect(prune(1)).toEqual(['0.31.0', '0.33.0'])
  expect(left()).toEqual(['.ollamax', '0.30.0', '0.32.0', '0.34.0', 'current'])
  expect(prune(1)).toEqual([])
})

test('what we did not unpack is left alone, and nothing there is no failure', () => {
  expect(prune(0)).toEqual([])
  mkdirSync(join(root, 'lib'))
  writeFileSync(join(root, 'ollama.log'), '')
  tree('old', 10)
  expect(prune(0)).toEqual(['old'])
  expect(left()).toEqual(['.ollamax', 'lib', 'ollama.log'])
})
