import {expect, onTestFinished, test} from 'vitest'
import type {NodeSpec} from '../../../../src/lib/cluster/node.ts'
import type {NodeEndpoint} from '../../../../src/lib/ollama/endpoint.ts'
import {FleetCopy} from '../../../../src/lib/server/workers/fleet-copy.ts'
import {down, up} from '../../balancer/door.ts'

const spec = (name: string, url = 'http://127.0.0.1:1'): NodeSpec => ({
  ...{kind: 'direct', name, url, labels: {}, drained: false, ollama: {}, headers: {}},
})
const copy = (of: NodeSpec, reading = up(of.name)) => ({spec: of, reading, tags: [], ps: []})

/** A copy whose endpoints are given by hand. */
function start() {
  const asked: PromiseWithResolvers<NodeEndpoint>[] = []
  const fleet = new FleetCopy({
    endpointOf() {
      const given = Promise.withResolvers<NodeEndpoint>()
      asked.push(given)
      return given.promise
    },
    look() {},
    fresh: async () => {},
    current: async () => {},
  })
  onTestFinished(() => fleet.close())
  const give = () => asked.at(-1)?.resolve({kind: 'url', url: 'http://127.0.0.1:1', headers: {}})
  const states = () => fleet.nodes().map(({spec: {name}, reading}) => [name, reading?.kind])
  return {fleet, asked, give, states}
}

test('a node counts as up only once this process can reach it', async () => {
  const {fleet, give, states} = start()
  fleet.set([copy(spec('a'))])
  expect([states(), fleet.upstream('a')]).toEqual([[['a', undefined]], undefined])
  give()
  await fleet.opened()
  expect(fleet.opening('a')).toBeUndefined()
  expect(states()).toEqual([['a', 'up']])
  expect(fleet.upstream('a')).toBeDefined()
})

test('where it cannot be reached the next reading tries again', async () => {
  const {fleet, asked, give} = start()
  fleet.set([copy(spec('a'))])
  asked[0]?.reject(new Error('a secret is missing'))
  await fleet.opened()
  fleet.read(copy(spec('a')))
  expect(asked).toHaveLength(2)
  give()
  await fleet.opened()
  expect(fleet.upstream('a')).toBeDefined()
})

test('connections outlive changes that do not concern them, and no others', async () => {
  const {fleet, give, states} = start()
  fleet.set([copy(spec('a'))])
  give()
  await fleet.opened()
  const before = fleet.upstream('a')
  fleet.set([copy(spec('b'), down('b', 0)), copy({...spec('a'), drained: true})])
  expect(fleet.upstream('a')).toBe(before)
  expect(states()).toEqual([
    ['b', 'down'],
    ['a', 'up'],
  ])
  fleet.set([copy(spec('a', 'http://127.0.0.1:2'))])
  give()
  await fleet.opened()
  expect(fleet.upstream('a')).not.toBe(before)
  expect(fleet.upstream('b')).toBeUndefined()
})
