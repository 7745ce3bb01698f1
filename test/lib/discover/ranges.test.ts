import fc from 'fast-check'
import {expect, test} from 'vitest'
import {mergeFound} from '../../../src/lib/discover/found.ts'
import {addressesOf} from '../../../src/lib/discover/ranges.ts'

test.each([
  [['10.0.0.7'], ['10.0.0.7']],
  [['10.0.0.254-10.0.1.1'], ['10.0.0.254', '10.0.0.255', '10.0.1.0', '10.0.1.1']],
  [['10.0.0.9/30'], ['10.0.0.9', '10.0.0.10']],
  [['10.0.0.8/31'], ['10.0.0.8', '10.0.0.9']],
  [
    ['10.0.0.1-10.0.0.2', '10.0.0.2/32'],
    ['10.0.0.1', '10.0.0.2'],
  ],
])('%j stands for these addresses', (ranges, all) => expect(addressesOf(ranges, 10)).toEqual(all))

test.each([
  '',
  '10.0.0',
  '10.0.0.256',
  '10.0.0.0/33',
  '10.0.0.9-10.0.0.1',
  'fd00::/64',
  '1-2-3',
  '10.0.0.1/',
])('%j is no range', (range) =>
  expect(() => addressesOf([range], 10)).toThrow('is no range of addresses'),
)

test('never more addresses than allowed, and a whole IPv4 is refused at once', () => {
  expect(() => addressesOf(['0.0.0.0/0'], 1024)).toThrow('at most 1024 are probed')
  fc.assert(
    fc.property(fc.integer({min: 16, max: 32}), fc.integer({min: 1, max: 5000}), (bits, most) => {
      try {
        const all = addressesOf([`10.1.2.3/${bits}`], most)
        expect(all.length).toBeLessThanOrEqual(most)
        expect(new Set(all).size).toBe(all.length)
      } catch (error) {
        expect((error as {code?: string}).code).toBe('BAD_INPUT')
      }
    }),
  )
})

test('what was asked goes before what was announced, and machines stand in the order of their addresses', () => {
  const asked = {address: '10.0.0.9', ssh: {port: 22, greeting: 'SSH-2.0-x'}}
  const announced = {address: '10.0.0.9', name: 'gpu', ssh: {port: 22}, ollama: {port: 11434}}
  const other = {address: '10.0.0.10', ollama: {port: 11434, version: '0.33.0'}}
  for (const all of [
    [asked, announced, other],
    [other, announced, asked],
  ])
    expect(mergeFound(all)).toEqual([{...announced, ...asked}, other])
})
