import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import type {Reading} from '../../../src/lib/cluster/reading.ts'
import {type Paths, pathsFor} from '../../../src/lib/state/paths.ts'
import {keepReadings, lastReadings, renameReading} from '../../../src/lib/state/readings.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
let paths: Paths
beforeEach(() => {
  home = tempHome()
  paths = pathsFor(home.env)
})
afterEach(() => home.dispose())

const up = (node: string, atMs: number, version?: string): Reading => ({
  kind: 'up',
  node,
  atMs,
  latencyMs: 1,
  ...(version === undefined ? {} : {version}),
  models: [{name: 'tiny:latest', digest: 'd', sizeBytes: 1, modifiedAt: ''}],
  loaded: [{name: 'tiny:latest', digest: 'd', sizeBytes: 1, vramBytes: 0, expiresAt: ''}],
})
const down = (node: string, atMs: number): Reading => ({
  kind: 'down',
  node,
  atMs,
  code: 'TIMEOUT',
  message: 'no answer',
})

test('what was seen is there again, beside what was seen of other nodes', () => {
  keepReadings(paths, 'lab', [up('a', 1000, '0.33.0'), down('b', 1000)])
  keepReadings(paths, 'lab', [down('a', 2000)])
  const known = lastReadings(paths, 'lab')
  expect(known.get('a')).toMatchObject({state: 'down', atMs: 2000, message: 'no answer'})
  expect(known.get('b')).toMatchObject({state: 'down', atMs: 1000})
  expect(lastReadings(paths, 'other').size).toBe(0)
})

test('a reading without version keeps the version that was seen before', () => {
  keepReadings(paths, 'lab', [up('a', 1000, '0.33.0')])
  keepReadings(paths, 'lab', [up('a', 2000)])
  expect(lastReadings(paths, 'lab').get('a')).toEqual({
    node: 'a',
    atMs: 2000,
    state: 'up',
    version: '0.33.0',
    models: 1,
    names: ['tiny:latest'],
    loaded: ['tiny:latest'],
  })
})

test('the names of its models stay known while a node is down', () => {
  keepReadings(paths, 'lab', [up('a', 1000)])
  keepReadings(paths, 'lab', [down('a', 2000), down('never-up', 2000)])
  const known = lastReadings(paths, 'lab')
  expect(known.get('a')).toMatchObject({models: 0, names: ['tiny:latest']})
  expect(known.get('never-up')?.names).toBeUndefined()
})

test('what is older than a month is forgotten', () => {
  keepReadings(paths, 'lab', [up('old', 0)])
  keepReadings(paths, 'lab', [up('new', 40 * 86_400_000)])
  expect([...lastReadings(paths, 'lab').keys()]).toEqual(['new'])
})

const entry = (change: object) =>
  JSON.stringify({
    format: 1,
    readings: [{node: 'a', atMs: 1, state: 'up', models: 1, loaded: [], ...change}],
  })

test.each([
  '',
  '{',
  '[]',
  '{"format": 99, "readings": []}',
  '{"format": 1}',
  '{"format": 1, "readings": [null]}',
  '{"format": 1, "readings": [{}]}',
  entry({atMs: 1e300}),
  entry({atMs: 'now'}),
  entry({state: 'odd'}),
  entry({loaded: null}),
  entry({loaded: [1]}),
  entry({models: 'many'}),
  entry({version: {}}),
  entry({message: 7}),
])('a cache that holds %j is as good as none, and is replaced', (text) => {
  mkdirSync(join(paths.cache, 'readings'), {recursive: true})
  writeFileSync(join(paths.cache, 'readings/lab.json'), text)
  expect(lastReadings(paths, 'lab').size).toBe(0)
  keepReadings(paths, 'lab', [up('a', 1)])
  expect(lastReadings(paths, 'lab').size).toBe(1)
})

test('where nothing can be written nothing is kept, and nothing breaks', () => {
  mkdirSync(paths.config, {recursive: true})
  writeFileSync(paths.cache, 'a file where the directory should be')
  keepReadings(paths, 'lab', [up('a', 1)])
  expect(lastReadings(paths, 'lab').size).toBe(0)
})

test('a renamed node keeps what was seen of it, and nothing is left under its old name', () => {
  keepReadings(paths, 'lab', [up('a', 1000, '0.33.0'), down('b', 1000)])
  renameReading(paths, 'lab', {from: 'a', to: 'c'})
  renameReading(paths, 'lab', {from: 'never seen', to: 'd'})
  const known = lastReadings(paths, 'lab')
  expect([...known.keys()].sort()).toEqual(['b', 'c'])
  expect(known.get('c')).toMatchObject({node: 'c', atMs: 1000, version: '0.33.0'})
})
