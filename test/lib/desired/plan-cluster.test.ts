import {expect, test} from 'vitest'
import {actionsOf, planChanges} from '../../../src/lib/desired/cluster-plan.ts'
import {describeAction, reasonOf} from '../../../src/lib/desired/describe-action.ts'
import type {Setup} from '../../../src/lib/desired/fleet-state.ts'
import {planCluster} from '../../../src/lib/desired/plan-cluster.ts'
import {model, sshNode, state, tag} from '../../support/fleet-state.ts'

const names = ['a', 'b', 'c', 'd', 'e']
const nodes = names.map((name) => sshNode(name))
const setup: Setup = {
  steps: ['write the drop-in', 'start Ollama'],
  changes: [{key: 'env.OLLAMA_NUM_PARALLEL', wanted: '4', actual: undefined}],
  texts: [],
  problems: [],
}
const loaded = (name: string, change = {}) => ({
  name,
  digest: `sha-${name}`,
  sizeBytes: 1,
  vramBytes: 0,
  expiresAt: '2319-01-01T00:00:00Z',
  ...change,
})
const shown = (plan: ReturnType<typeof planCluster>) =>
  plan.waves.map(({actions}) => actions.map((one) => `${one.node}: ${describeAction(one)}`))

test('a fleet that is as it is wanted gives an empty plan', () => {
  const states = names.map((name) => state(name, {models: [tag('m', 1)]}))
  expect(planCluster({nodes, models: [model('m', {replicas: 'all'})]}, states).waves).toEqual([])
  expect(planCluster({nodes}, states)).toEqual({
    ...{waves: [], replicas: [], unmet: [], unfit: [], silent: [], notes: []},
  })
})

test('Ollama is changed on one node first, then on half of the fleet at most at a time', () => {
  const plan = planCluster(
    {nodes},
    names.map((name) => state(name, {setup})),
  )
  expect(plan.waves.map(({actions}) => actions.map(({node}) => node))).toEqual([
    ['a'],
    ['b', 'c'],
    ['d', 'e'],
  ])
  expect(reasonOf(actionsOf(plan)[0] ?? expect.fail())).toBe(
    'env.OLLAMA_NUM_PARALLEL is not set, wanted 4',
  )
})

test('a model that nobody has is pulled once and copied from there', () => {
  const models = [model('new', {replicas: 3, warm: true, context: 8192})]
  const plan = planCluster(
    {nodes: nodes.slice(0, 3), models},
    names.slice(0, 3).map((name) => state(name)),
  )
  expect(shown(plan)).toEqual([
    ['a: pull new'],
    ['b: copy new from a', 'c: copy new from a'],
    ['a', 'b', 'c'].map((node) => `${node}: load new and keep it in memory with a context of 8192`),
  ])
})

test('a silent node gives nothing away', () => {
  const silent = {reason: 'away', counts: true}
  const plan = planCluster({nodes: nodes.slice(0, 2), models: [model('m', {replicas: 2})]}, [
    state('a', {models: [tag('m', 1)], silent}),
    state('b'),
  ])
  expect(shown(plan)).toEqual([['b: pull m']])
  expect(plan.silent).toEqual([{node: 'a', reason: 'away'}])
})

test.each([
  ['not in memory', [], 'it is not in memory'],
  [
    'about to be unloaded',
    [loaded('m', {expiresAt: '2026-11-24T00:00:00Z'})],
    'it would be unloaded after a while',
  ],
  [
    'loaded with another context',
    [loaded('m', {contextLength: 4096})],
    'it is loaded with a context of 4096',
  ],
])('a model to be kept in memory that is %s is loaded', (_, inMemory, why) => {
  const models = [model('m', {warm: true, context: 8192})]
  const plan = planCluster({nodes: nodes.slice(0, 1), models}, [
    state('a', {models: [tag('m', 1)], loaded: inMemory}),
  ])
  expect(actionsOf(plan)).toEqual([{kind: 'warm', node: 'a', model: 'm', context: 8192, why}])
})

test.each([
  ['as wanted', {contextLength: 8192}, {}],
  ['rounded up by the runner', {contextLength: 8192 + 128}, {}],
  ['as much as the model has', {contextLength: 2048}, {contextLength: 2048}],
  ['unknown, on an old Ollama', {}, {}],
])('a model whose context in memory is %s is left alone', (_, context, limit) => {
  const models = [model('m', {warm: true, context: 8192})]
  const plan = planCluster({nodes: nodes.slice(0, 1), models}, [
    state('a', {models: [{...tag('m', 1), ...limit}], loaded: [loaded('m', context)]}),
  ])
  expect(plan.waves).toEqual([])
})

test('a model in memory is loaded anew where Ollama is started anew', () => {
  const states = [state('a', {models: [tag('m', 1)], loaded: [loaded('m')], setup})]
  const plan = planCluster({nodes: nodes.slice(0, 1), models: [model('m', {warm: true})]}, states)
  expect(shown(plan)).toEqual([
    ['a: write the drop-in, start Ollama'],
    ['a: load m and keep it in memory'],
  ])
})

test('only --prune removes, and neither what an alias leads to nor what is pinned', () => {
  const models = [model('m'), model('pinned', {pin: true, warm: true})]
  const has = [tag('m', 1), tag('pinned', 1), tag('other', 1), tag('aliased', 1)]
  const cluster = {nodes: nodes.slice(0, 2), models, aliases: {fast: 'aliased'}}
  const states = ['a', 'b'].map((name) => state(name, {models: has, loaded: [loaded('pinned')]}))
  const plan = planCluster(cluster, states)
  expect(plan.waves).toEqual([])
  expect(plan.notes).toEqual([
    'm is also on b, more than wanted; --prune would remove it there',
    'pinned is also on b, more than wanted; --prune would remove it there',
  ])
  expect(shown(planCluster(cluster, states, {prune: true}))).toEqual([
    ['a: remove other (1.0GiB)', 'b: remove m (1.0GiB)', 'b: remove other (1.0GiB)'],
  ])
})

test('one name for two models is told', () => {
  const states = [
    state('a', {models: [tag('m', 1)]}),
    state('b', {models: [{...tag('m', 1), digest: 'another'}]}),
  ]
  const plan = planCluster({nodes: nodes.slice(0, 2), models: [model('m', {replicas: 2})]}, states)
  expect(plan.notes).toEqual(['m is not the same everywhere: sha-m on a; another on b'])
})

test('a host that cannot become as wanted is told and not touched', () => {
  const unfit = {...setup, problems: ['port 11434 is taken']}
  const plan = planCluster({nodes: nodes.slice(0, 1)}, [state('a', {setup: unfit})])
  expect([plan.waves, plan.unfit]).toEqual([[], [{node: 'a', text: 'port 11434 is taken'}]])
})

test('two plans differ in what they do, not in how it is explained', () => {
  const models = [model('m', {replicas: 2})]
  const cluster = {nodes: nodes.slice(0, 3), models}
  const has = state('c', {models: [tag('m', 1)]})
  const before = planCluster(cluster, [state('a'), state('b', {freeBytes: 2 ** 31}), has])
  const same = planCluster(cluster, [
    state('a', {freeBytes: 2 ** 35}),
    state('b', {freeBytes: 2 ** 31}),
    has,
  ])
  expect(planChanges(before, same)).toEqual({gone: [], added: []})
  const drained = {
    ...cluster,
    nodes: nodes.slice(0, 3).map((one) => ({...one, drained: one.name === 'a'})),
  }
  const {gone, added} = planChanges(
    before,
    planCluster(drained, [state('a'), state('b', {freeBytes: 2 ** 31}), has]),
  )
  expect([gone.map(({node}) => node), added.map(({node}) => node)]).toEqual([['a'], ['b']])
})

test('a node that a broken change left drained is taken up, also where nothing else is to be done there', () => {
  const interrupted = {interrupted: true}
  const done: Setup = {...setup, steps: [], changes: []}
  const plan = planCluster({nodes: nodes.slice(0, 2)}, [
    state('a', {setup: done, ...interrupted}),
    state('b', {setup: done}),
  ])
  expect(shown(plan)).toEqual([['a: try it, and let it take requests again']])
  const both = planCluster({nodes: nodes.slice(0, 1)}, [state('a', {setup, ...interrupted})])
  expect(shown(both)).toEqual([
    ['a: write the drop-in, start Ollama, try it, and let it take requests again'],
  ])
  const away = {reason: 'no answer', counts: true}
  const silent = planCluster({nodes: nodes.slice(0, 1)}, [
    state('a', {setup: done, silent: away, ...interrupted}),
  ])
  expect([silent.waves, silent.notes]).toEqual([
    [],
    ['a is drained since a change of it was broken off, and cannot be read now'],
  ])
})

test('a wave that leaves nobody to answer for a model says so before', () => {
  const has = {models: [tag('m', 1)]}
  const cluster = {nodes: nodes.slice(0, 2), models: [model('m')]}
  const alone = planCluster(cluster, [state('a', {setup, ...has}), state('b')])
  expect(alone.notes).toEqual([
    'a: nobody answers for m while it is changed: no other node that serves has it',
  ])
  const two = planCluster({...cluster, models: [model('m', {replicas: 2})]}, [
    state('a', {setup, ...has}),
    state('b', {setup, ...has}),
  ])
  expect(two.notes).toEqual([])
})
