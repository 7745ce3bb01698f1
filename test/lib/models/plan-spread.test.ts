import fc from 'fast-check'
import {expect, test} from 'vitest'
import {chooseNodes} from '../../../src/lib/models/choose-nodes.ts'
import type {Manifest} from '../../../src/lib/models/manifest.ts'
import {lackOf, RESERVE_BYTES, spaceMissing} from '../../../src/lib/models/plan-spread.ts'
import {readLook} from '../../../src/lib/models/read-look.ts'

const digest = (n: number): string => `sha256:${String(n).padStart(64, '0')}`
const layer = (n: number, sizeBytes: number) => ({digest: digest(n), sizeBytes, mediaType: ''})
const manifest = (...sizes: number[]): Manifest => {
  const [config = layer(0, 1), ...layers] = sizes.map((size, n) => layer(n, size))
  return {bytes: Buffer.alloc(0), digest: '', config, layers}
}
const store = (whole: [number, number][], parts: [number, number][] = []) => ({
  blobs: new Map(whole.map(([n, sizeBytes]) => [digest(n), {digest: digest(n), sizeBytes}])),
  parts: new Map(parts.map(([n, bytes]) => [digest(n), bytes])),
})

test('only what is missing is sent, less what an earlier copy left', () => {
  const lack = lackOf(manifest(10, 100, 50), store([[0, 10]], [[1, 40]]))
  expect(lack.blobs.map(({sizeBytes}) => sizeBytes)).toEqual([50, 100])
  expect([lack.bytes, lack.partBytes]).toEqual([110, 40])
})

test('a file of another size is sent anew', () => {
  expect(
    lackOf(
      manifest(10, 100),
      store([
        [0, 10],
        [1, 99],
      ]),
    ).bytes,
  ).toBe(100)
})

test('what is sent and what is there are together what is lacking, whatever was left there', () => {
  const sizes = fc.array(fc.nat(1e6), {minLength: 1, maxLength: 6})
  fc.assert(
    fc.property(sizes, fc.array(fc.nat(2e6), {maxLength: 6}), (all, left) => {
      const lack = lackOf(
        manifest(...all),
        store(
          [],
          left.map((bytes, n) => [n, bytes]),
        ),
      )
      expect(lack.bytes).toBeGreaterThanOrEqual(0)
      expect(lack.bytes + lack.partBytes).toBe(all.reduce((sum, size) => sum + size, 0))
    }),
  )
})

test('room is missing by what is sent and what stays free; unknown room is no reason', () => {
  const lack = lackOf(manifest(1000), store([]))
  expect(spaceMissing(lack, RESERVE_BYTES)).toBe(1000)
  expect(spaceMissing(lack, RESERVE_BYTES + 1000)).toBe(0)
  expect(spaceMissing(lack, undefined)).toBe(0)
  expect(spaceMissing(lackOf(manifest(5), store([[0, 5]])), 0)).toBe(0)
})

test('replicas stay where they are, and new ones go where most is free', () => {
  const place = (node: string, has: boolean, freeBytes?: number, drained = false) => ({
    node,
    has,
    drained,
    ...(freeBytes === undefined ? {} : {freeBytes}),
  })
  const places = [
    place('a', false, 5),
    place('b', false, 9),
    place('c', true, 1),
    place('d', false),
  ]
  expect(chooseNodes(places, 1)).toEqual(['c'])
  expect(chooseNodes(places, 3)).toEqual(['c', 'b', 'a'])
  expect(chooseNodes(places, 5)).toBeUndefined()
  expect(chooseNodes([place('a', false, 9, true), place('b', true, 1, true)], 1)).toEqual(['b'])
  expect(chooseNodes([place('a', false, 9, true)], 1)).toBeUndefined()
})

test('a look is read whole or not at all, and foreign names in a store are passed over', () => {
  const hex = 'a'.repeat(64)
  const lines = [
    'dir=/m/',
    'uid=0',
    'sudo=root',
    'owner=1:2',
    'exists=1',
    'readable=1',
    'free=4',
    `blob=sha256-${hex} 7`,
    `blob=sha256-${hex}.ollamax 3`,
    'blob=sha256-short 9',
    'blob=../x 9',
    `manifest=h/n/m/t ${Buffer.from('{}').toString('base64')}`,
    'end=1',
  ]
  const look = readLook(lines.join('\n'))
  expect(look).toMatchObject({dir: '/m', uid: 0, owner: '1:2', freeBytes: 4096, writable: false})
  expect([...(look?.blobs.values() ?? [])]).toEqual([{digest: `sha256:${hex}`, sizeBytes: 7}])
  expect([...(look?.parts ?? [])]).toEqual([[`sha256:${hex}`, 3]])
  expect(look?.manifests.get('h/n/m/t')?.toString()).toBe('{}')
  expect(readLook(lines.slice(0, -1).join('\n'))).toBeUndefined()
  expect(readLook('')).toBeUndefined()
})
