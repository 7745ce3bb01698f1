import {afterEach, beforeEach, expect, test} from 'vitest'
import {clusterHome} from '../support/cluster-home.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli} from '../support/run-cli.ts'
import type {TempHome} from '../support/temp-home.ts'

// Model commands on nodes by URL: all that needs no files of a node. Those over SSH are in test/e2e/models.test.ts.

let home: TempHome
let nodes: FakeOllama[]
const TWIN = {name: 'twin', digest: 'b'.repeat(64)}

beforeEach(async () => {
  nodes = await Promise.all([
    startFakeOllama({
      models: [
        'tiny',
        {name: 'eye:7b', capabilities: ['completion', 'vision'], sizeBytes: 7e9},
        TWIN,
      ],
    }),
    startFakeOllama({models: ['tiny', {...TWIN, digest: 'c'.repeat(64)}], pullable: ['small']}),
  ])
  home = clusterHome([...nodes, {url: 'http://127.0.0.1:1'}])
})
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.close()))
  home.dispose()
})

const model = (...words: string[]) => runCli(['model', ...words], {env: home.env})
const json = async (...words: string[]) => JSON.parse((await model(...words, '--json')).stdout)
const names = (result: {models: {name: string}[]}) => result.models.map(({name}) => name)

test('list tells the union, where it is, and which names differ; a node that is down is said', async () => {
  const {code, stdout, stderr} = await model('list')
  expect(code).toBe(0)
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'))
  expect(
    rows.map(([name, , , replicas, , state, where]) => [
      name,
      replicas,
      state,
      where?.split(',').sort().join(),
    ]),
  ).toEqual([
    ['eye:7b', '1', 'same', 'n1'],
    ['tiny:latest', '2', 'same', 'n1,n2'],
    ['twin:latest', '2', 'drift', 'n1,n2'],
  ])
  expect(stderr).toContain('n3 is not counted')
})

test('search finds by name, capability and size', async () => {
  expect(names(await json('search', 'T'))).toEqual(['tiny:latest', 'twin:latest'])
  expect(names(await json('search', 't*y:*'))).toEqual(['tiny:latest'])
  expect(names(await json('search', '--capability', 'vision'))).toEqual(['eye:7b'])
  expect(names(await json('search', '--max-size', '1GB'))).toEqual(['tiny:latest', 'twin:latest'])
  expect(names(await json('search', '--min-size', '1GB', '--family', 'LLAMA'))).toEqual(['eye:7b'])
  const none = await model('search', 'nothing')
  expect([none.code, none.stdout, none.stderr]).toEqual([
    0,
    '',
    expect.stringContaining('No model fits'),
  ])
})

test('show describes one copy and tells all of them', async () => {
  const shown = await json('show', 'twin', '--node', 'n2')
  expect(shown).toMatchObject({name: 'twin:latest', drift: true, from: 'n2', down: ['n3']})
  expect(shown.nodes.map(({digest}: {digest: string}) => digest[0])).toEqual(['b', 'c'])
  expect((await model('show', 'eye:7b', '--node', 'n2')).code).toBe(3)
  expect((await model('show', 'tiny')).stdout).toContain('capabilities\tcompletion')
})

test('pull lets a node by URL pull by itself, and the words of a failure are its own', async () => {
  const done = await json('pull', 'small', '--nodes', 'n2')
  expect(done.nodes).toEqual([{node: 'n2', outcome: 'pulled'}])
  const bad = await model('pull', 'small', '--nodes', 'n1')
  expect([bad.code, bad.stderr]).toEqual([1, expect.stringContaining('n1 finds no model small')])
})

test('warm, unload and remove work on all that have it, or on those that are named', async () => {
  const warm = await json('warm', 'tiny', '--nodes', 'n1', '--keep-alive', '1h')
  expect(warm.nodes).toMatchObject([{node: 'n1', outcome: 'loaded'}])
  const sent = nodes[0]?.requests.findLast(({path}) => path === '/api/generate')
  expect(sent?.body).toMatchObject({model: 'tiny:latest', keep_alive: 3600})
  const again = await json('warm', 'tiny')
  expect(again.nodes.map(({outcome}: {outcome: string}) => outcome)).toEqual([
    'was-loaded',
    'loaded',
  ])
  expect((await json('unload', 'tiny')).nodes).toMatchObject([
    {outcome: 'unloaded'},
    {outcome: 'unloaded'},
  ])
  expect((await model('remove', 'tiny')).code).toBe(2)
  const removed = await json('remove', 'tiny', '--yes')
  expect(removed).toMatchObject({
    nodes: [{outcome: 'removed'}, {outcome: 'removed'}],
    unknown: ['n3'],
  })
  expect(names(await json('list'))).toEqual(['eye:7b', 'twin:latest'])
})

test('what needs the files of a node says why a node by URL cannot do it', async () => {
  const done = await model('copy', 'tiny', '--from', 'n1', '--to', 'n2')
  expect([done.code, done.stderr]).toEqual([2, expect.stringContaining('reached by its URL alone')])
})
