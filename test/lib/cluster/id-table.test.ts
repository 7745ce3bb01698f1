import fc from 'fast-check'
import {expect, test} from 'vitest'
import {IdTable} from '../../../src/lib/cluster/id-table.ts'

test('an id table is a Map by number, whatever is put in and taken out', () => {
  // Few buckets are hit, so that they hold several.
  const id = fc.integer({min: -3, max: 3}).map((n) => n * 1024 + (n % 2))
  const step = fc.record({id, kind: fc.constantFrom('set', 'delete', 'get'), value: fc.string()})
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const table = new IdTable<string>()
      const map = new Map<number, string>()
      for (const {id: at, kind, value} of steps) {
        if (kind === 'set') {
          table.set(at, value)
          map.set(at, value)
        } else if (kind === 'delete') expect(table.delete(at)).toBe(map.delete(at))
        expect(table.get(at)).toBe(map.get(at))
        expect(table.has(at)).toBe(map.has(at))
        expect(table.size).toBe(map.size)
      }
      expect([...table.values()].sort()).toEqual([...map.values()].sort())
    }),
  )
})
