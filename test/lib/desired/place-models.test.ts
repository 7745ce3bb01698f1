import {expect, test} from 'vitest'
import {placeModels} from '../../../src/lib/desired/place-models.ts'
import {gib, model, sshNode, state, tag} from '../../support/fleet-state.ts'

const names = ['a', 'b', 'c']
const nodes = names.map((name) => sshNode(name))

/** `model@node` of the new replicas. */
const gets = (placed: ReturnType<typeof placeModels>) =>
  placed.replicas.filter(({kept}) => !kept).map(({model, node}) => `${model}@${node}`)

test('what is there stays, and only what is missing is placed', () => {
  const states = [state('a'), state('b', {models: [tag('m', 2)], freeBytes: gib(1)}), state('c')]
  const placed = placeModels({nodes, models: [model('m', {replicas: 2})]}, states)
  expect(placed.replicas).toEqual([
    {model: 'm', node: 'a', kept: false, warm: false, why: 'the most room: 100GiB free'},
    {model: 'm', node: 'b', kept: true, warm: false, why: 'has it already'},
  ])
  expect([placed.surplus, placed.unmet]).toEqual([[], []])
})

test('spread takes the node with the most room, pack the fullest that takes it', () => {
  const states = [
    state('a', {freeBytes: gib(9)}),
    state('b'),
    state('c', {freeBytes: gib(1)}),
    state('d', {models: [tag('m', 2)], freeBytes: 0}),
  ]
  const all = [...nodes, sshNode('d', {drained: true})]
  const wanted = (strategy: 'spread' | 'pack') =>
    model('m', {replicas: 2, placement: {labels: {}, strategy}})
  expect(gets(placeModels({nodes: all, models: [wanted('spread')]}, states))).toEqual(['m@b'])
  expect(gets(placeModels({nodes: all, models: [wanted('pack')]}, states))).toEqual(['m@a'])
})

test('replicas go to machines of their own before two of them share one', () => {
  const states = [
    state('a', {host: 'one', models: [tag('m', 2)]}),
    state('b', {host: 'one'}),
    state('c', {freeBytes: gib(5)}),
  ]
  const two = placeModels({nodes, models: [model('m', {replicas: 2})]}, states)
  expect(gets(two)).toEqual(['m@c'])
  const three = placeModels({nodes, models: [model('m', {replicas: 3})]}, states)
  expect(gets(three)).toEqual(['m@b', 'm@c'])
})

test('nodes of one machine share its disk', () => {
  const states = [
    state('a', {host: 'one', freeBytes: gib(3)}),
    state('b', {host: 'one', freeBytes: gib(3)}),
    state('c', {models: [tag('m', 2)]}),
  ]
  const placed = placeModels({nodes, models: [model('m', {replicas: 3})]}, states)
  expect(gets(placed)).toEqual(['m@a'])
  expect(placed.unmet[0]?.text).toBe(
    'm needs 2.0GiB on 3 nodes; only 2 can have it: b lacks 1.1GiB of disk',
  )
})

test('labels, drained and silent nodes are respected, and each is told', () => {
  const fast = {labels: {tier: 'fast'}}
  const all = [
    sshNode('a', fast),
    sshNode('b', {...fast, drained: true}),
    sshNode('c'),
    sshNode('d', fast),
    sshNode('e', fast),
  ]
  const states = [
    state('a', {freeBytes: gib(1)}),
    state('b'),
    state('c', {models: [tag('m', 4.7)]}),
    state('d', {silent: {reason: 'no route', counts: false}, models: 'unknown'}),
    state('e', {freeBytes: 'unknown'}),
  ]
  const wanted = model('m', {replicas: 2, placement: {labels: {tier: 'fast'}, strategy: 'spread'}})
  const placed = placeModels({nodes: all, models: [wanted]}, states)
  expect(placed.replicas).toEqual([])
  expect(placed.surplus).toEqual([{model: 'm', node: 'c'}])
  expect(placed.unmet).toEqual([
    {
      model: 'm',
      wanted: 2,
      placed: 0,
      needBytes: gib(4.7),
      nodes: [
        {node: 'a', text: 'lacks 3.8GiB of disk', lacksBytes: gib(4.7) - gib(1) + 100 * 2 ** 20},
        {node: 'b', text: 'is drained'},
        {node: 'd', text: 'could not be read'},
        {node: 'e', text: 'does not tell its free disk'},
      ],
      text: 'm needs 4.7GiB on 2 nodes with tier=fast; none can have it: a lacks 3.8GiB of disk, b is drained, d could not be read, e does not tell its free disk',
    },
  ])
})

test('what lies on a drained node counts, and on a silent one only while it may come back', () => {
  const models = [model('m', {replicas: 2})]
  const there = {models: [tag('m', 2)]}
  const drained = [sshNode('a', {drained: true}), sshNode('b'), sshNode('c')]
  expect(
    gets(placeModels({nodes: drained, models}, [state('a', there), state('b', there), state('c')])),
  ).toEqual([])
  const silent = (counts: boolean) => state('a', {...there, silent: {reason: 'away', counts}})
  expect(gets(placeModels({nodes, models}, [silent(true), state('b', there), state('c')]))).toEqual(
    [],
  )
  expect(
    gets(placeModels({nodes, models}, [silent(false), state('b', there), state('c')])),
  ).toEqual(['m@c'])
  // Nobody has ever seen what it has: it may have all of it.
  const unseen = state('a', {models: 'unknown', silent: {reason: 'away', counts: true}})
  expect(gets(placeModels({nodes, models}, [unseen, state('b', there), state('c')]))).toEqual([])
})

test('all is every node that the labels allow and that is not away', () => {
  const all = [...nodes, sshNode('d', {drained: true})]
  const states = [
    state('a', {models: [tag('m', 2)]}),
    state('b'),
    state('c', {freeBytes: gib(1)}),
    state('d'),
  ]
  const placed = placeModels({nodes: all, models: [model('m', {replicas: 'all'})]}, states)
  expect(gets(placed)).toEqual(['m@b'])
  expect(placed.unmet[0]?.text).toBe(
    'm needs 2.0GiB on every node; only 2 can have it: c lacks 1.1GiB of disk, d is drained',
  )
})

test('a node whose GPU holds the model whole goes before one with more disk', () => {
  const states = [
    state('a', {models: [tag('m', 8)]}),
    state('b', {freeBytes: gib(500)}),
    state('c', {gpuBytes: gib(24)}),
  ]
  expect(gets(placeModels({nodes, models: [model('m', {replicas: 2})]}, states))).toEqual(['m@c'])
  const small = states.map((one) => (one.name === 'c' ? {...one, gpuBytes: gib(8)} : one))
  expect(gets(placeModels({nodes, models: [model('m', {replicas: 2})]}, small))).toEqual(['m@b'])
})

test('a model that no memory holds is not placed there, and those kept in memory share it', () => {
  const small = (name: string) => state(name, {memoryBytes: gib(10)})
  const has = state('c', {models: [tag('m', 6), tag('n', 6)]})
  const warm = {replicas: 2, warm: true} as const
  const placed = placeModels({nodes, models: [model('m', warm), model('n', warm)]}, [
    small('a'),
    small('b'),
    has,
  ])
  expect(gets(placed).sort()).toEqual(['m@a', 'n@b'])
  const one = placeModels({nodes: nodes.slice(1), models: [model('m', warm), model('n', warm)]}, [
    small('b'),
    has,
  ])
  expect(gets(one)).toEqual(['m@b'])
  expect(one.unmet[0]?.text).toBe(
    'n needs 6.0GiB on 2 nodes; only 1 can have it: b lacks 3.2GiB of memory',
  )
})

test('a replica that is there and does not fit into memory beside others is told, and not loaded', () => {
  const states = [state('a', {models: [tag('m', 6), tag('n', 6)], memoryBytes: gib(10)})]
  const placed = placeModels(
    {nodes: nodes.slice(0, 1), models: [model('m', {warm: true}), model('n', {warm: true})]},
    states,
  )
  expect(placed.replicas.map(({model, warm}) => [model, warm])).toEqual([
    ['m', true],
    ['n', false],
  ])
  expect(placed.unmet[0]?.text).toBe('n cannot be kept in memory there: a lacks 3.2GiB of memory')
})

test('the first choice gives way where another model would find no room', () => {
  const all = ['a', 'b', 'd'].map((name) =>
    sshNode(name, {labels: name === 'd' ? {} : {pool: name}}),
  )
  const states = [
    state('a', {freeBytes: gib(7)}),
    state('b', {freeBytes: gib(6)}),
    state('d', {models: [tag('m', 5), tag('n', 4)], freeBytes: 0}),
  ]
  const onlyA = {labels: {pool: 'a'}, strategy: 'spread'} as const
  const placed = placeModels(
    {nodes: all, models: [model('m', {replicas: 2}), model('n', {placement: onlyA})]},
    states,
  )
  expect(placed.unmet).toEqual([])
  expect(gets(placed)).toEqual(['m@b', 'n@a'])
})

test('what was chosen before is chosen again while it is as good as others', () => {
  const states = [
    state('a', {freeBytes: gib(50)}),
    state('b', {freeBytes: gib(60)}),
    state('c', {models: [tag('m', 2)]}),
  ]
  const models = [model('m', {replicas: 2})]
  expect(gets(placeModels({nodes, models}, states, {prefer: new Set(['m@a'])}))).toEqual(['m@a'])
})

test('a model that nobody has is placed where room is known, and its size is told to be unknown', () => {
  const states = [state('a', {freeBytes: 'unknown'}), state('b'), state('c', {freeBytes: gib(200)})]
  const placed = placeModels({nodes, models: [model('new')]}, states)
  expect(placed.replicas).toEqual([
    {
      model: 'new',
      node: 'c',
      kept: false,
      warm: false,
      why: 'the most room: 200GiB free; its size is known once it is pulled',
    },
  ])
})
