import {mkdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import type {SshNode} from '../../../src/lib/cluster/node.ts'
import {OllamaxError} from '../../../src/lib/errors.ts'
import {editCluster} from '../../../src/lib/state/edit.ts'
import {clusterFile, loadCluster, loadClusterAt} from '../../../src/lib/state/load.ts'
import {type Paths, pathsFor} from '../../../src/lib/state/paths.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
let paths: Paths
beforeEach(() => {
  home = tempHome()
  paths = pathsFor(home.env)
})
afterEach(() => home.dispose())

const ssh = (name: string, more: Partial<SshNode> = {}): SshNode => ({
  kind: 'ssh',
  name,
  ssh: `ubuntu@${name}`,
  labels: {},
  drained: false,
  ollama: {},
  ...more,
})

function write(text: string, name = 'default'): string {
  const file = clusterFile(paths, name)
  mkdirSync(dirname(file), {recursive: true})
  writeFileSync(file, text)
  return file
}

const failure = async (promise: Promise<unknown>): Promise<OllamaxError> => {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  )
  if (!OllamaxError.is(error)) throw error
  return error
}

test('the default cluster is empty as long as there is no cluster at all', async () => {
  expect(await loadCluster(paths, 'default')).toEqual({name: 'default', nodes: []})
  write('apiVersion: ollamax/v1\nkind: Cluster\n', 'lab')
  const error = await failure(loadCluster(paths, 'default'))
  expect(error.code).toBe('CLUSTER_NOT_FOUND')
  expect(error.suggestions.join()).toContain('ollamax cluster use lab')
})

test('a cluster that does not exist is named with the nearest that does', async () => {
  write('apiVersion: ollamax/v1\nkind: Cluster\n', 'staging')
  const error = await failure(loadCluster(paths, 'stagign'))
  expect(error.code).toBe('CLUSTER_NOT_FOUND')
  expect(error.suggestions[0]).toBe('did you mean "staging"?')
})

test('what is added is there again when the file is read, in a file for its owner only', async () => {
  const full = ssh('gpu-1', {
    hostKey: `SHA256:${'a'.repeat(43)}`,
    install: 'system',
    labels: {tier: 'fast', 'example.org/rack': 'r1'},
    drained: true,
    ollama: {version: '0.33.0', port: 11500, env: {OLLAMA_NUM_PARALLEL: '4'}},
  })
  await editCluster({paths, name: 'default'}, (edit) => edit.addNode(full))
  await editCluster({paths, name: 'default'}, (edit) => edit.addNode(ssh('b')))
  const cluster = await loadCluster(paths, 'default')
  expect(cluster.nodes).toEqual([full, ssh('b')])
  const file = clusterFile(paths, 'default')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(statSync(dirname(file)).mode & 0o777).toBe(0o700)
  expect(readFileSync(file, 'utf8')).not.toContain('drained: false')
})

test('the compiled form is used only for the very text it was made from', async () => {
  const file = write('apiVersion: ollamax/v1\nkind: Cluster\nnodes: [{name: a, ssh: a}]\n')
  expect((await loadCluster(paths, 'default')).nodes).toEqual([ssh('a', {ssh: 'a'})])
  const cache = join(paths.cache, 'clusters/default.json')
  expect(statSync(cache).mode & 0o777).toBe(0o600)
  writeFileSync(file, 'apiVersion: ollamax/v1\nkind: Cluster\nnodes: [{name: b, ssh: b}]\n')
  expect((await loadCluster(paths, 'default')).nodes[0]?.name).toBe('b')
  writeFileSync(cache, '{"broken')
  expect((await loadCluster(paths, 'default')).nodes[0]?.name).toBe('b')
})

test('a cluster file that lies anywhere is named by its base name, and no directory of ours is looked at', async () => {
  const file = join(home.dir, 'Fleet.YML')
  writeFileSync(file, 'apiVersion: ollamax/v1\nkind: Cluster\nnodes: [{name: a, ssh: a}]\n')
  expect(await loadClusterAt(paths, file)).toEqual({name: 'Fleet', nodes: [ssh('a', {ssh: 'a'})]})
  writeFileSync(file, 'nodes: 7\n')
  const broken = await failure(loadClusterAt(paths, file))
  expect(broken.code).toBe('CONFIG_INVALID')
  expect(broken.message).toContain(file)
  expect((await failure(loadClusterAt(paths, join(home.dir, 'x.yaml')))).code).toBe(
    'CLUSTER_NOT_FOUND',
  )
  for (const name of ['.yaml', 'my fleet.yaml', `${'x'.repeat(64)}.yaml`])
    expect((await failure(loadClusterAt(paths, join(home.dir, name)))).code).toBe('BAD_INPUT')
})
