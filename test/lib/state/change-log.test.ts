import {appendFileSync, readdirSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import type {ChangeRecord} from '../../../src/lib/cluster/change-record.ts'
import {appendChange, changeLogDirectory, readChanges} from '../../../src/lib/state/change-log.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
let paths: {data: string}
beforeEach(() => {
  home = tempHome()
  paths = {data: join(home.dir, 'data')}
})
afterEach(() => home.dispose())

const change = (what: string): ChangeRecord => ({
  at: new Date().toISOString(),
  who: 'ann@desk',
  by: 'node upgrade',
  cluster: 'default',
  node: 'h1',
  host: 'ops@h1',
  what,
  exit: 0,
  ms: 12,
})
const whats = () => readChanges(paths).map(({what}) => what)

test('what was appended is read again in its order, and only its owner may', () => {
  expect(whats()).toEqual([])
  for (const what of ['one', 'two\nlines', 'three']) appendChange(paths, change(what))
  expect(whats()).toEqual(['one', 'two\nlines', 'three'])
  const file = join(changeLogDirectory(paths), 'changes.jsonl')
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('a full file is put aside, and only the newest four of those stay', () => {
  const all = Array.from({length: 300}, (_, at) => `step ${at}`)
  for (const what of all) appendChange(paths, change(what), 2000)
  const files = readdirSync(changeLogDirectory(paths))
  expect(files.length).toBeLessThanOrEqual(5)
  const kept = whats()
  expect(kept.length).toBeGreaterThan(20)
  // No gap and no second one: what is left is the end of what was written.
  expect(kept).toEqual(all.slice(-kept.length))
})

test('a line that a crash cut short costs that line alone', () => {
  appendChange(paths, change('before'))
  appendFileSync(join(changeLogDirectory(paths), 'changes.jsonl'), '{"at":"2026-01-01T0\n')
  appendChange(paths, change('after'))
  expect(whats()).toEqual(['before', 'after'])
})

test('a place that cannot be written to is an error that names it', () => {
  writeFileSync(paths.data, 'a file')
  expect(() => appendChange(paths, change('x'))).toThrow(/cannot write .*changes\.jsonl/)
})
