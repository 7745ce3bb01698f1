import {type Fleet, nodesOf} from './fleet.ts'
import {EVENT_COLUMNS, newestFirst} from './lists/events.ts'
import {MODEL_COLUMNS, modelsOf} from './lists/models.ts'
import {NODE_COLUMNS, NOTABLE_COLUMNS, notableNodes} from './lists/nodes.ts'
import {liveOrder, REQUEST_COLUMNS} from './lists/requests.ts'
import type {ListState, TopState, ViewName} from './state.ts'
import {type Column, headerLine, layOut, rowLine, sortRows} from './table.ts'
import {clean} from './text.ts'
import type {Theme} from './theme.ts'

/** The rows of a view as they stand, filtered and sorted, and how they are drawn. */
export interface Listing {
  readonly ids: readonly string[]
  /** Of all, before the filter. */
  readonly total: number
  readonly columns: readonly {
    readonly id: string
    readonly title: string
    readonly letter: string
  }[]
  /** The header and then `rows` lines from `top` on, each exactly `width` wide. */
  draw(options: DrawOptions): string[]
  /** The node that an entry stands for or speaks of. */
  nodeOf(id: string): string | undefined
}

export interface DrawOptions {
  readonly width: number
  readonly rows: number
  readonly top: number
  readonly selected: string | undefined
  readonly theme: Theme
  readonly nowMs: number
}

interface Kind<Row> {
  readonly columns: readonly Column<Row>[]
  readonly rowsOf: (fleet: Fleet) => readonly Row[]
  readonly idOf: (row: Row, at: number) => string
  readonly nodeOf: (row: Row) => string | undefined
}

const kind = <Row>(it: Kind<Row>) => ({
  columns: it.columns,
  list: (fleet: Fleet, list: ListState) => listingOf(it, fleet, list),
})

const KINDS = {
  overview: kind({
    columns: NOTABLE_COLUMNS,
    rowsOf: (fleet) => notableNodes(nodesOf(fleet)),
    idOf: ({name}) => name,
    nodeOf: ({name}) => name,
  }),
  nodes: kind({
    columns: NODE_COLUMNS,
    rowsOf: nodesOf,
    idOf: ({name}) => name,
    nodeOf: ({name}) => name,
  }),
  models: kind({
    columns: MODEL_COLUMNS,
    rowsOf: (fleet) => modelsOf(nodesOf(fleet)),
    idOf: ({name}) => name,
    nodeOf: () => undefined,
  }),
  requests: kind({
    columns: REQUEST_COLUMNS,
    rowsOf: ({requests}) => liveOrder(requests.values()),
    idOf: ({id}) => id,
    nodeOf: ({node}) => node,
  }),
  events: kind({
    columns: EVENT_COLUMNS,
    rowsOf: ({events}) => newestFirst(events),
    idOf: ({at, event, node, text}) => `${at} ${event} ${node ?? ''} ${text}`,
    nodeOf: ({node}) => node,
  }),
} satisfies Record<ViewName, unknown>

/** The columns of a view, for `:sort`, help and docs. */
export const columnsOf = (view: ViewName): Listing['columns'] => KINDS[view].columns

interface Kept {
  readonly key: string
  readonly listing: Listing
}
/** A picture asks several times for the same list; it changes only with the fleet, the filter and the order. */
const kept = new WeakMap<Fleet, Map<ViewName, Kept>>()

export function listingIn({fleet, lists}: TopState, view: ViewName): Listing {
  const list = lists[view]
  const key = `${list.sort?.column} ${list.sort?.descending} ${list.filter}`
  const ofFleet = kept.get(fleet) ?? new Map<ViewName, Kept>()
  kept.set(fleet, ofFleet)
  const found = ofFleet.get(view)
  if (found?.key === key) return found.listing
  const listing = KINDS[view].list(fleet, list)
  ofFleet.set(view, {key, listing})
  return listing
}

function listingOf<Row>(
  {columns, rowsOf, idOf, nodeOf}: Kind<Row>,
  fleet: Fleet,
  {filter, sort}: ListState,
): Listing {
  const all = rowsOf(fleet)
  const matches = matcher(filter)
  const fitting = filter === '' ? all : all.filter((row) => matches(textOf(columns, row)))
  const by = sort && columns.find(({id}) => id === sort.column)
  const rows = by ? sortRows(fitting, by, sort.descending) : fitting
  const ids = rows.map(idOf)
  const byId = new Map(ids.map((id, at) => [id, rows[at]]))
  return {
    ids,
    total: all.length,
    columns,
    nodeOf: (id) => {
      const row = byId.get(id)
      return row === undefined ? undefined : nodeOf(row)
    },
    draw({width, rows: height, top, selected, theme, nowMs}) {
      const placed = layOut(columns, width)
      const lines = rows
        .slice(top, top + height)
        .map((row, at) =>
          rowLine(placed, row, {width, theme, nowMs, selected: ids[top + at] === selected}),
        )
      return [headerLine(placed, {width, theme, sort: by && sort}), ...lines]
    },
  }
}

function textOf<Row>(columns: readonly Column<Row>[], row: Row): string {
  return columns
    .map(({cell}) => {
      const shown = cell(row, 0)
      return typeof shown === 'string' ? shown : shown.text
    })
    .join(' ')
}

/** All words must be there, in any order and case; one with `!` before it must not. */
export function matcher(filter: string): (text: string) => boolean {
  const words = clean(filter)
    .toLowerCase()
    .split(' ')
    .filter((word) => word !== '' && word !== '!')
  return (text) => {
    const lower = text.toLowerCase()
    return words.every((word) =>
      word.startsWith('!') ? !lower.includes(word.slice(1)) : lower.includes(word),
    )
  }
}

/** Lists that grow at their top: whoever stands there looks at what comes, not at one row on its way down. */
export const growsAtTop = (view: ViewName): boolean => view === 'requests' || view === 'events'

export interface Room {
  readonly rows: number
  /** The selection stays at the top if it is there. */
  readonly stay: boolean
}

/** The list with its selection and window in bounds: the selection follows its row, else stays where it was. */
export function settled(list: ListState, ids: readonly string[], {rows, stay}: Room): ListState {
  const free = list.selected === undefined || (stay && list.index === 0)
  const found = free ? -1 : ids.indexOf(list.selected ?? '')
  const index = Math.max(0, Math.min(ids.length - 1, found >= 0 ? found : list.index))
  const selected = ids[index]
  const least = Math.max(0, Math.min(list.top, ids.length - rows))
  const top = index < least ? index : index >= least + rows ? index - rows + 1 : least
  if (selected === list.selected && index === list.index && top === list.top) return list
  const {selected: _, ...rest} = list
  return {...rest, index, top, ...(selected === undefined ? {} : {selected})}
}
