import fc from 'fast-check'
import {expect, test} from 'vitest'
import {EVENT_COLUMNS} from '../../../../src/lib/tui/top/lists/events.ts'
import {MODEL_COLUMNS, modelsOf} from '../../../../src/lib/tui/top/lists/models.ts'
import {NODE_COLUMNS, NOTABLE_COLUMNS} from '../../../../src/lib/tui/top/lists/nodes.ts'
import {REQUEST_COLUMNS} from '../../../../src/lib/tui/top/lists/requests.ts'
import {
  type Column,
  headerLine,
  layOut,
  rowLine,
  sortRows,
} from '../../../../src/lib/tui/top/table.ts'
import {clean, widthOf} from '../../../../src/lib/tui/top/text.ts'
import {makeTheme} from '../../../../src/lib/tui/top/theme.ts'
import {liveNode, liveRequest, T0} from '../../../support/fake-fleet.ts'
import {uncoloured} from '../../../support/screen.ts'

const COLOURED = makeTheme({shade: 'dark', color: true, unicode: true})
const hostile = fc.oneof(fc.string({unit: 'binary'}), fc.string({unit: 'grapheme'}))

/** Every list, with a row whose texts are all `text`. */
const LISTS: readonly {
  readonly name: string
  readonly columns: readonly Column<never>[]
  readonly row: (text: string) => unknown
}[] = [
  {name: 'nodes', columns: NODE_COLUMNS, row: nodeOf},
  {name: 'notable nodes', columns: NOTABLE_COLUMNS, row: nodeOf},
  {name: 'models', columns: MODEL_COLUMNS, row: (text) => modelsOf([nodeOf(text)])[0]},
  {
    name: 'requests',
    columns: REQUEST_COLUMNS,
    row: (text) =>
      liveRequest(text, {model: text, node: text, key: text, route: text, reason: text}),
  },
  {
    name: 'events',
    columns: EVENT_COLUMNS,
    row: (text) => ({at: text, event: 'failed', node: text, text}),
  },
]

function nodeOf(text: string) {
  const models = [{name: text || 'm', digest: text, sizeBytes: 1}]
  const loaded = [{...models[0], vramBytes: 1, expiresAt: text}] as never
  return liveNode(text, {state: 'down', reason: text, version: text, models, loaded})
}

test.each(LISTS)('a row of $name is exactly as wide as the terminal and obeys nobody', (list) => {
  fc.assert(
    fc.property(hostile, fc.integer({min: 1, max: 240}), fc.boolean(), (text, width, selected) => {
      const placed = layOut(list.columns, width)
      const row = list.row(text) as never
      const line = rowLine(placed, row, {width, theme: COLOURED, selected, nowMs: T0})
      const shown = uncoloured(line)
      expect(widthOf(shown)).toBe(width)
      expect(clean(shown)).toBe(shown)
      const header = uncoloured(headerLine(placed, {width, theme: COLOURED}))
      expect(widthOf(header)).toBe(width)
    }),
  )
})

test.each(LISTS)(
  'letters and names of columns of $name are theirs alone, and G stays free',
  ({columns}) => {
    const letters = columns.map(({letter}) => letter)
    expect(new Set(letters).size).toBe(letters.length)
    expect(new Set(columns.map(({id}) => id)).size).toBe(columns.length)
    expect(letters.join('')).toMatch(/^[A-FH-Z]+$/)
  },
)

test('where there is no room the less important columns go, the first never', () => {
  const titles = (width: number) => layOut(NODE_COLUMNS, width).map(({column}) => column.title)
  expect(titles(300)).toHaveLength(NODE_COLUMNS.length)
  expect(titles(60)).toEqual(['NAME', 'STATE', 'TOK/S', 'FLIGHT', 'REASON'])
  expect(titles(5)).toEqual(['NAME'])
})

test('columns use all the room that there is', () => {
  for (let width = 60; width <= 250; width++) {
    const placed = layOut(NODE_COLUMNS, width)
    const used = placed.reduce((sum, one) => sum + one.width + 1, 1)
    expect(used).toBe(width)
  }
})

test('what is unknown comes last in either order, and numbers in names count as numbers', () => {
  const nodes = [
    liveNode('gpu-10', {latencyMs: 5}),
    liveNode('gpu-2', {latencyMs: 1}),
    (({latencyMs: _, ...rest}) => rest)(liveNode('gpu-1')),
  ]
  const by = (id: string, descending: boolean) => {
    const column = NODE_COLUMNS.find((one) => one.id === id) as Column<(typeof nodes)[number]>
    return sortRows(nodes, column, descending).map(({name}) => name)
  }
  expect(by('name', false)).toEqual(['gpu-1', 'gpu-2', 'gpu-10'])
  expect(by('latency', false)).toEqual(['gpu-2', 'gpu-10', 'gpu-1'])
  expect(by('latency', true)).toEqual(['gpu-10', 'gpu-2', 'gpu-1'])
})
