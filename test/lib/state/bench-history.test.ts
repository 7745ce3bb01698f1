import {chmodSync, mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {
  benchHistory,
  keepBench,
  lastBench,
  renameBench,
} from '../../../src/lib/state/bench-history.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
let paths: {readonly data: string}
beforeEach(() => {
  home = tempHome()
  paths = {data: join(home.dir, 'data')}
})
afterEach(() => home.dispose())

const entry = (atMs: number, node = 'n1') => ({
  ...{atMs, node, model: 'm:latest', digest: 'd'},
  figures: {prefill: [], atOnce: [], decodeTps: atMs},
})

test('the latest run of a model on a node is found again', () => {
  keepBench(paths, 'c', [entry(1), entry(1, 'n2')])
  keepBench(paths, 'c', [entry(2)])
  const history = benchHistory(paths, 'c')
  expect(lastBench(history, {node: 'n1', model: 'm:latest'})).toEqual(entry(2))
  expect(lastBench(history, {node: 'n2', model: 'm:latest'})).toEqual(entry(1, 'n2'))
  expect(lastBench(history, {node: 'n1', model: 'other'})).toBeUndefined()
  expect(benchHistory(paths, 'another')).toEqual([])
})

test('of a model on a node the latest twenty are kept, and no more than a thousand in all', () => {
  keepBench(
    paths,
    'c',
    Array.from({length: 30}, (_, at) => entry(at)),
  )
  expect(benchHistory(paths, 'c').map(({atMs}) => atMs)).toEqual(
    Array.from({length: 20}, (_, at) => at + 10),
  )
  keepBench(
    paths,
    'c',
    Array.from({length: 1500}, (_, at) => entry(at, `n${at}`)),
  )
  expect(benchHistory(paths, 'c')).toHaveLength(1000)
})

test.each(['', 'x', '{}', '{"format":1,"entries":[null,{"node":5}]}', '{"format":2,"entries":[]}'])(
  'a file that says %j is no history',
  (text) => {
    mkdirSync(join(paths.data, 'bench'), {recursive: true})
    writeFileSync(join(paths.data, 'bench', 'c.json'), text)
    expect(benchHistory(paths, 'c')).toEqual([])
  },
)

test('where it cannot be written nothing is kept and nothing thrown', () => {
  writeFileSync(paths.data, 'no directory')
  chmodSync(paths.data, 0o400)
  expect(keepBench(paths, 'c', [entry(1)])).toBe(false)
})

test('a renamed node keeps what was measured of it, and nothing is left under its old name', () => {
  keepBench(paths, 'c', [entry(1), entry(2, 'n2')])
  renameBench(paths, 'c', {from: 'n1', to: 'big'})
  expect(benchHistory(paths, 'c')).toEqual([entry(1, 'big'), entry(2, 'n2')])
})
