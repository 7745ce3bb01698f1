import {mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import fc from 'fast-check'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {
  changeRate,
  mergeRates,
  newest,
  readRates,
  renameRates,
} from '../../../src/lib/state/rates-file.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
let path: string
beforeEach(() => {
  home = tempHome()
  path = join(home.dir, 'cache', 'rates', 'default.json')
})
afterEach(() => home.dispose())

const set = (node: string, model: string, atMs: number) =>
  changeRate<{atMs: number}>(path, {node, model}, () => ({atMs}))

test('entries are kept by node and model, privately, and no temporary file is left', () => {
  set('a', 'm', 1)
  set('a', 'n', 2)
  changeRate<{atMs: number; tps: number}>(path, {node: 'a', model: 'm'}, (before) => {
    expect(before).toEqual({atMs: 1})
    return {atMs: 3, tps: 7}
  })
  expect(readRates(path)).toEqual({a: {m: {atMs: 3, tps: 7}, n: {atMs: 2}}})
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(readdirSync(dirname(path))).toEqual(['default.json'])
})

test.each([
  '',
  '{"a":',
  '[]',
  'null',
  '{"a":{"m":{"atMs":"x"}}}',
  '{"a":{"m":{"tps":1}}}',
  '{"a":7}',
])('a cache that reads %j is no cache, and is written anew', (text) => {
  mkdirSync(dirname(path), {recursive: true})
  writeFileSync(path, text)
  expect(readRates(path)).toEqual({})
  set('a', 'm', 1)
  expect(readRates(path)).toEqual({a: {m: {atMs: 1}}})
})

test('the file stays small: the oldest entries go', () => {
  mkdirSync(dirname(path), {recursive: true})
  const many = Object.fromEntries(Array.from({length: 1500}, (_, at) => [`m${at}`, {atMs: at + 1}]))
  writeFileSync(path, JSON.stringify({a: many}))
  set('b', 'new', 9999)
  const after = readRates(path)
  expect(after.b).toEqual({new: {atMs: 9999}})
  expect(Object.keys(after.a ?? {})).toHaveLength(999)
  expect(after.a).not.toHaveProperty('m0')
})

test('a cache that cannot be written is no reason to fail', () => {
  writeFileSync(join(home.dir, 'cache'), 'a file where the directory should be')
  expect(() => set('a', 'm', 1)).not.toThrow()
  expect(readFileSync(join(home.dir, 'cache'), 'utf8')).toMatch(/^a file/)
})

test('a renamed node keeps what was learned of it, and nothing is left under its old name', () => {
  set('a', 'm', 1)
  set('b', 'm', 2)
  renameRates(path, {from: 'a', to: 'c'})
  renameRates(path, {from: 'never asked', to: 'd'})
  expect(readRates(path)).toEqual({b: {m: {atMs: 2}}, c: {m: {atMs: 1}}})
})

const entries = fc.dictionary(
  fc.constantFrom('a', 'b', 'c'),
  fc.dictionary(fc.constantFrom('x', 'y', 'z'), fc.record({atMs: fc.nat(5), tps: fc.nat(9)})),
)

test('of two that learned at the same time nothing is lost but what is older, whoever writes last', () => {
  fc.assert(
    fc.property(entries, entries, (one, other) => {
      const both = newest(one, other)
      const times = (all: typeof one) =>
        Object.entries(all).flatMap(([node, models]) =>
          Object.entries(models).map(([model, {atMs}]) => [`${node} ${model}`, atMs] as const),
        )
      const latest = new Map(times(one))
      for (const [key, atMs] of times(other)) latest.set(key, Math.max(atMs, latest.get(key) ?? 0))
      expect(new Map(times(both))).toEqual(latest)
      expect(new Map(times(newest(other, one)))).toEqual(latest)
      expect(newest(both, one)).toEqual(both)
    }),
  )
})

test('what another process has written since stays, unless it is older', () => {
  set('a', 'm', 5)
  set('renamed', 'm', 3)
  expect(mergeRates(path, {a: {m: {atMs: 4}, n: {atMs: 4}}, renamed: {m: {atMs: 9}}})).toEqual({
    a: {m: {atMs: 5}, n: {atMs: 4}},
    renamed: {m: {atMs: 9}},
  })
  expect(readRates(path)).toEqual({a: {m: {atMs: 5}, n: {atMs: 4}}, renamed: {m: {atMs: 9}}})
})
