import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {POLICY_NAMES} from '../../../src/lib/balancer/policies.ts'
import {SETTING_KEYS} from '../../../src/lib/jobs/config-settings.ts'
import {type KnownKind, knownValues} from '../../../src/lib/jobs/known-values.ts'
import {makeTools} from '../../../src/lib/jobs/make-tools.ts'
import type {Tools} from '../../../src/lib/jobs/tools.ts'
import {keepReadings} from '../../../src/lib/state/readings.ts'
import {clusterJsonSchema} from '../../../src/lib/state/schema.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
let tools: Tools
const clusters = () => join(home.env.OLLAMAX_HOME ?? '', 'clusters')
beforeEach(() => {
  home = tempHome()
  const config = join(home.dir, 'ssh_config')
  tools = makeTools({
    env: {...home.env, OLLAMAX_SSH_CONFIG: config},
    signal: new AbortController().signal,
  })
  mkdirSync(clusters(), {recursive: true})
  writeFileSync(config, 'Host gpu-9 *.lan\n  User ops\n')
  writeFileSync(join(clusters(), 'lab.yaml'), 'apiVersion: ollamax/v1\nkind: Cluster\nnodes: []\n')
  writeFileSync(
    join(clusters(), 'default.yaml'),
    `apiVersion: ollamax/v1
kind: Cluster
nodes:
  - {name: a, ssh: ops@a, labels: {tier: fast}}
  - {name: b, url: "http://b:1", labels: {tier: fast}, drained: true}
  - {name: c, ssh: c}
models:
  - {name: "wanted:1b", replicas: 1}
aliases: {quick: "seen:3b"}
`,
  )
  const models = [{name: 'seen:3b', digest: 'd', sizeBytes: 1, modifiedAt: ''}]
  const up = {kind: 'up', atMs: 1, latencyMs: 1, version: '0.33.0', models, loaded: []} as const
  keepReadings(tools.paths, 'default', [
    {...up, node: 'a'},
    {...up, node: 'gone', models: [{name: 'gone:1b', digest: 'd', sizeBytes: 1, modifiedAt: ''}]},
  ])
})
afterEach(() => home.dispose())

const values = async (kind: KnownKind, ...given: string[]) => knownValues(tools, {kind, given})

test.each([
  ['nodes', [], ['a|up, ops@a', 'b|drained, http://b:1', 'c|not seen yet, c']],
  ['nodes', ['a', 'c'], ['b|drained, http://b:1']],
  [
    'models',
    [],
    ['seen:3b|on a', 'wanted:1b|wanted by the cluster file', 'quick|another name of seen:3b'],
  ],
  ['aliases', [], ['quick|another name of seen:3b']],
  ['labels', [], ['tier=fast|on a, b']],
  ['selectors', [], ['tier=fast|on a, b', 'tier|any value']],
  ['label-changes', [], ['tier=fast|on a, b', 'tier-|take it away']],
  ['clusters', [], ['default|the current one', 'lab|']],
  [
    'hosts',
    [],
    [
      'gpu-9|in your ssh_config',
      'local|the Ollama of this machine',
      'embedded|a small engine on this machine',
    ],
  ],
  ['versions', [], ['0.33.0|on a, gone']],
  ['policies', [], POLICY_NAMES.map((name) => `${name}|`)],
  ['setting-values', ['output'], ['auto|', 'table|', 'plain|', 'json|']],
  ['setting-values', ['cluster'], ['default|the current one', 'lab|']],
  ['setting-values', ['defaults.readTimeout'], []],
  ['keys', [], []],
] as const)('%s behind %j are known without any network', async (kind, given, expected) => {
  const found = await values(kind, ...given)
  expect(found.map(({value, about = ''}) => `${value}|${about}`)).toEqual(expected)
})

test('settings are the keys that the cluster file and the preferences have, and the nodes', async () => {
  const names = (await values('settings')).map(({value}) => value)
  expect(names).toEqual([...SETTING_KEYS, 'nodes.a.', 'nodes.b.', 'nodes.c.'])
  const {properties} = clusterJsonSchema() as {
    properties: Record<string, {properties?: Record<string, unknown>}>
  }
  for (const part of ['defaults', 'gateway'])
    for (const key of Object.keys(properties[part]?.properties ?? {}))
      expect(names.some((name) => name.startsWith(`${part}.${key}`))).toBe(true)
})

test('a broken cluster file leaves nothing to offer, and breaks nothing', async () => {
  writeFileSync(join(clusters(), 'default.yaml'), 'nodes: [')
  expect(await values('nodes')).toEqual([])
  expect(await values('models')).toEqual([])
})
