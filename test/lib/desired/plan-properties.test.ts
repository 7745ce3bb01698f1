import fc from 'fast-check'
import {expect, test} from 'vitest'
import {modelKey} from '../../../src/lib/cluster/model-name.ts'
import type {NodeSpec, WantedModel} from '../../../src/lib/cluster/node.ts'
import {RESERVE_BYTES} from '../../../src/lib/desired/budget.ts'
import {actionsOf} from '../../../src/lib/desired/cluster-plan.ts'
import {hasLabels} from '../../../src/lib/desired/effective.ts'
import type {NodeState} from '../../../src/lib/desired/fleet-state.ts'
import {planCluster} from '../../../src/lib/desired/plan-cluster.ts'
import {afterPlan, gib, model, sshNode, state, tag} from '../../support/fleet-state.ts'

interface Scene {
  readonly nodes: readonly NodeSpec[]
  readonly states: readonly NodeState[]
  readonly models: readonly WantedModel[]
}

const SIZES = [1, 2, 3, 5, 8]
const NAMES = SIZES.map((size) => `m${size}:latest`)

/** Free disk and memory belong to a machine, models to a node of it. */
const machine = fc.record({
  freeBytes: fc.oneof(
    {weight: 5, arbitrary: fc.integer({min: 0, max: 20}).map(gib)},
    {weight: 1, arbitrary: fc.constant('unknown' as const)},
  ),
  memoryBytes: fc.oneof(
    {weight: 5, arbitrary: fc.integer({min: 2, max: 20}).map(gib)},
    {weight: 1, arbitrary: fc.constant('unknown' as const)},
  ),
})

const nodeShape = fc.record({
  machine: fc.nat({max: 3}),
  drained: fc.integer({min: 0, max: 5}).map((n) => n === 0),
  pool: fc.constantFrom('x', 'y'),
  silent: fc.constantFrom(undefined, undefined, undefined, undefined, true, false),
  has: fc.subarray(NAMES.slice(0, 4), {maxLength: 3}),
  setup: fc.boolean(),
})

const wish = fc.record({
  replicas: fc.oneof(fc.integer({min: 1, max: 3}), fc.constant('all' as const)),
  pool: fc.constantFrom(undefined, 'x', 'y'),
  strategy: fc.constantFrom('spread' as const, 'pack' as const),
  warm: fc.boolean(),
})

const scenes: fc.Arbitrary<Scene> = fc
  .record({
    machines: fc.array(machine, {minLength: 4, maxLength: 4}),
    shapes: fc.array(nodeShape, {minLength: 1, maxLength: 5}),
    wanted: fc.subarray(NAMES, {maxLength: 4}),
    wishes: fc.array(wish, {minLength: 5, maxLength: 5}),
  })
  .map(({machines, shapes, wanted, wishes}) => ({
    nodes: shapes.map(({drained, pool}, at) => sshNode(`n${at}`, {drained, labels: {pool}})),
    states: shapes.map(({machine: on, silent, has, setup}, at) =>
      state(`n${at}`, {
        host: `h${on}`,
        ...machines[on],
        models: has.map((name) => tag(name, SIZES[NAMES.indexOf(name)] ?? 1)),
        ...(silent === undefined ? {} : {silent: {reason: 'away', counts: silent}}),
        ...(setup ? {setup: {steps: ['start Ollama'], changes: [], texts: [], problems: []}} : {}),
      }),
    ),
    models: wanted.map((name, at) => {
      const {pool, strategy, ...rest} = wishes[at] ?? {strategy: 'spread' as const}
      const labels = pool === undefined ? ({} as Record<string, string>) : {pool}
      return model(name, {...rest, placement: {labels, strategy}})
    }),
  }))

/** So small, once it is pulled, that it makes no difference. */
const PULLED = new Map(NAMES.map((name) => [name, 0]))
const RUNS = {numRuns: 1500}

const moves = (scene: Scene) =>
  actionsOf(planCluster(scene, scene.states)).filter(({kind}) => kind === 'copy' || kind === 'pull')

test('a plan that was done leaves nothing to do', () => {
  fc.assert(
    fc.property(scenes, fc.boolean(), (scene, prune) => {
      const plan = planCluster(scene, scene.states, {prune})
      // What is removed may make room for what could not be placed; apply refuses such a plan.
      fc.pre(!prune || plan.unmet.length === 0)
      const after = afterPlan(scene.states, plan, PULLED)
      expect(actionsOf(planCluster(scene, after, {prune}))).toEqual([])
    }),
    RUNS,
  )
})

test('no disk is filled beyond what stays free, whatever is planned', () => {
  fc.assert(
    fc.property(scenes, (scene) => {
      const after = afterPlan(scene.states, planCluster(scene, scene.states), PULLED)
      for (const [at, {freeBytes}] of after.entries()) {
        const before = scene.states[at]?.freeBytes
        if (freeBytes === 'unknown' || freeBytes === before) continue
        expect(freeBytes).toBeGreaterThanOrEqual(RESERVE_BYTES)
      }
    }),
    RUNS,
  )
})

test('no more is moved than is missing', () => {
  fc.assert(
    fc.property(scenes, (scene) => {
      const missing = scene.models.map(({name, replicas, placement}) => {
        const fitting = scene.nodes
          .map((spec, at) => ({spec, is: scene.states[at]}))
          .filter(({spec}) => hasLabels(spec, placement.labels))
        const has = fitting.filter(
          ({is}) =>
            is?.silent?.counts !== false &&
            is?.models !== 'unknown' &&
            is?.models.some((one) => modelKey(one.name) === modelKey(name)),
        ).length
        const open = fitting.filter(({spec, is}) => !spec.drained && !is?.silent).length
        return Math.max(0, (replicas === 'all' ? has + open : replicas) - has)
      })
      expect(moves(scene).length).toBeLessThanOrEqual(missing.reduce((sum, n) => sum + n, 0))
    }),
    RUNS,
  )
})

test('nothing is done on a silent node, no model comes to a drained one, and nothing is removed unasked', () => {
  fc.assert(
    fc.property(scenes, (scene) => {
      const actions = actionsOf(planCluster(scene, scene.states))
      const spec = new Map(scene.nodes.map((one) => [one.name, one]))
      const is = new Map(scene.states.map((one) => [one.name, one]))
      for (const {kind, node} of actions) {
        expect(is.get(node)?.silent).toBeUndefined()
        expect(kind).not.toBe('remove')
        if (kind !== 'setup') expect(spec.get(node)?.drained).toBe(false)
      }
    }),
    RUNS,
  )
})

test('the order in which nodes were read makes no difference to where models go', () => {
  fc.assert(
    fc.property(scenes, (scene) => {
      const turned = planCluster(scene, [...scene.states].reverse())
      const plan = planCluster(scene, scene.states)
      expect(turned.replicas).toEqual(plan.replicas)
      expect(turned.unmet).toEqual(plan.unmet)
      expect(planCluster(scene, scene.states)).toEqual(plan)
    }),
    RUNS,
  )
})

test('pruning keeps all that is wanted, and all that is pinned', () => {
  fc.assert(
    fc.property(scenes, (scene) => {
      const pinned = {...scene, models: scene.models.map((one) => ({...one, pin: one.warm}))}
      const plan = planCluster(pinned, scene.states, {prune: true})
      const keep = new Set(plan.replicas.map((one) => `${one.model}@${one.node}`))
      const pins = new Set(pinned.models.filter(({pin}) => pin).map(({name}) => name))
      for (const action of actionsOf(plan)) {
        if (action.kind !== 'remove') continue
        expect(keep.has(`${action.model}@${action.node}`)).toBe(false)
        expect(pins.has(action.model)).toBe(false)
      }
    }),
    RUNS,
  )
})

/** True if all that is missing can be placed at all: every choice is tried. Disk alone, one node per machine. */
function possible(scene: Scene): boolean {
  const free = scene.states.map(({freeBytes}) =>
    freeBytes === 'unknown' ? -1 : freeBytes - RESERVE_BYTES,
  )
  const slots = scene.models.flatMap((wanted) => {
    const at = NAMES.indexOf(wanted.name)
    const bytes = gib(SIZES[at] ?? 0)
    const has = scene.states.map(
      ({models}) => models !== 'unknown' && models.some((one) => one.name === wanted.name),
    )
    const count = has.filter(Boolean).length
    const left = Math.max(0, (typeof wanted.replicas === 'number' ? wanted.replicas : 0) - count)
    return Array.from({length: left}, () => ({bytes, has, name: wanted.name}))
  })
  const taken = new Set<string>()
  const place = (i: number): boolean => {
    const slot = slots[i]
    if (!slot) return true
    return free.some((room, n) => {
      const key = `${slot.name}@${n}`
      if (slot.has[n] || taken.has(key) || room < slot.bytes || room <= 0) return false
      free[n] = room - slot.bytes
      taken.add(key)
      const ok = place(i + 1)
      taken.delete(key)
      free[n] = room
      return ok
    })
  }
  return place(0)
}

test('a wish is unmet only where no choice of nodes would meet all', () => {
  const simple = fc
    .record({
      frees: fc.array(fc.integer({min: 0, max: 12}), {minLength: 4, maxLength: 4}),
      wanted: fc.array(fc.integer({min: 1, max: 3}), {minLength: 4, maxLength: 4}),
    })
    .map(
      ({frees, wanted}): Scene => ({
        nodes: [...frees.map((_, at) => sshNode(`n${at}`)), sshNode('store', {drained: true})],
        states: [
          ...frees.map((free, at) => state(`n${at}`, {freeBytes: gib(free)})),
          state('store', {
            freeBytes: 0,
            models: NAMES.slice(0, 4).map((name, at) => tag(name, SIZES[at] ?? 1)),
          }),
        ],
        models: wanted.map((replicas, at) => model(NAMES[at] ?? '', {replicas})),
      }),
    )
  fc.assert(
    fc.property(simple, (scene) => {
      const {unmet} = planCluster(scene, scene.states)
      expect(unmet.length === 0).toBe(possible(scene))
    }),
    {numRuns: 600},
  )
})
