import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {askedOf, nameOf, partOf} from '../../../src/lib/registry/asked.ts'

const digest = `sha256:${'a'.repeat(64)}`

test.each([
  ['/v2', {kind: 'root'}],
  ['/v2/', {kind: 'root'}],
  [
    '/v2/library/llama3.2/manifests/3b',
    {kind: 'manifest', name: {namespace: 'library', model: 'llama3.2'}, tag: '3b'},
  ],
  [`/v2/me/mine/blobs/${digest}`, {kind: 'blob', name: {namespace: 'me', model: 'mine'}, digest}],
])('%s is understood', (path, asked) => {
  expect(askedOf(path)).toEqual(asked)
})

test.each([
  '/v2/library/../manifests/x',
  '/v2/library/x/manifests/..',
  '/v2/./x/manifests/y',
  '/v2/library/x/blobs/sha256:0',
  `/v2/library/x/blobs/../${digest}`,
  '/v2/library/x/tags/list',
  '/v2/x/manifests/y',
  '/v2/library/%2e%2e/manifests/x',
])('%s names nothing, least of all a file elsewhere', (path) => {
  expect(askedOf(path)).toEqual({kind: 'unknown'})
})

test('a name is that which nodes have', () => {
  expect(nameOf({namespace: 'library', model: 'tiny'}, 'latest')).toBe('tiny:latest')
  expect(nameOf({namespace: 'me', model: 'tiny'}, 'x')).toBe('me/tiny:x')
})

describe('a part', () => {
  test.each([
    [undefined, 10, undefined],
    ['bytes=0-9', 10, {from: 0, length: 10}],
    ['bytes=3-', 10, {from: 3, length: 7}],
    ['bytes=3-100', 10, {from: 3, length: 7}],
    ['bytes=-4', 10, {from: 6, length: 4}],
    ['bytes=-40', 10, {from: 0, length: 10}],
    ['bytes=10-', 10, 'outside'],
    ['bytes=-0', 10, 'outside'],
    ['bytes=5-3', 10, undefined],
    ['bytes=0-1,3-4', 10, undefined],
    ['lines=1-2', 10, undefined],
  ] as const)('%s of %i bytes', (range, size, part) => {
    expect(partOf(range, size)).toEqual(part)
  })

  test('lies within the file, whatever is asked for', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1200), fc.nat(1200), (size, from, to) => {
        const part = partOf(`bytes=${from}-${to}`, size)
        if (part === undefined) expect(to).toBeLessThan(from)
        else if (part === 'outside') expect(from).toBeGreaterThanOrEqual(size)
        else expect([part.from, part.length]).toEqual([from, Math.min(to, size - 1) - from + 1])
      }),
    )
  })
})
