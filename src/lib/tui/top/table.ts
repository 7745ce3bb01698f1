import {sized, widthOf} from './text.ts'
import type {Theme, Tone} from './theme.ts'

export type Cell = string | {readonly text: string; readonly tone: Tone}

/** One column of a list of rows. */
export interface Column<Row> {
  /** As `:sort` takes it. */
  readonly id: string
  readonly title: string
  /** Capital letter that sorts by it. */
  readonly letter: string
  readonly width: number
  /** Its part of the columns that are left over; absent: it stays as it is. */
  readonly grow?: number
  readonly align?: 'right'
  /** The higher, the sooner it is left out where there is no room. */
  readonly rank: number
  readonly cell: (row: Row, nowMs: number) => Cell
  /** What it is sorted by; what is unknown comes last. */
  readonly value: (row: Row) => string | number | undefined
}

export interface Sort {
  readonly column: string
  readonly descending: boolean
}

export interface Placed<Row> {
  readonly column: Column<Row>
  readonly width: number
}

/** Before each row: whether it is the selected one. */
const MARK = 2

/** The columns that have room, and how wide each is. The first column always stays. */
export function layOut<Row>(columns: readonly Column<Row>[], width: number): Placed<Row>[] {
  const kept = new Set(columns)
  const needed = () => MARK + [...kept].reduce((sum, column) => sum + column.width + 1, -1)
  for (const column of [...columns].sort((a, b) => b.rank - a.rank)) {
    if (needed() <= width || kept.size === 1) break
    kept.delete(column)
  }
  let spare = Math.max(0, width - needed())
  let parts = [...kept].reduce((sum, {grow = 0}) => sum + grow, 0)
  return columns
    .filter((column) => kept.has(column))
    .map((column) => {
      const more = parts === 0 ? 0 : Math.floor((spare * (column.grow ?? 0)) / parts)
      spare -= more
      parts -= column.grow ?? 0
      return {column, width: column.width + more}
    })
}

/** The line above the rows; the column that they are sorted by has an arrow. */
export function headerLine<Row>(
  placed: readonly Placed<Row>[],
  {
    width,
    theme,
    sort,
  }: {readonly width: number; readonly theme: Theme; readonly sort?: Sort | undefined},
): string {
  const cells = placed.map(({column, width: wide}) => {
    const arrow = sort?.descending ? theme.glyphs.down : theme.glyphs.up
    const title = sort?.column === column.id ? `${column.title}${arrow}` : column.title
    return sized(
      title,
      wide,
      column.align ? {align: column.align, ellipsis: arrow} : {ellipsis: arrow},
    )
  })
  return theme.paint('strong', sized(`${' '.repeat(MARK)}${cells.join(' ')}`, width))
}

export interface RowOptions {
  readonly width: number
  readonly theme: Theme
  readonly selected: boolean
  readonly nowMs: number
}

/** A row in exactly `width` columns, whatever its cells hold. */
export function rowLine<Row>(
  placed: readonly Placed<Row>[],
  row: Row,
  {width, theme, selected, nowMs}: RowOptions,
): string {
  const ellipsis = theme.glyphs.ellipsis
  const cells = placed.map(({column, width: wide}) => {
    const cell = column.cell(row, nowMs)
    const [text, tone] =
      typeof cell === 'string' ? [cell, 'plain' as const] : [cell.text, cell.tone]
    const fitted = sized(text, wide, column.align ? {align: column.align, ellipsis} : {ellipsis})
    return {fitted, tone: selected ? ('plain' as const) : tone}
  })
  const used = MARK + cells.reduce((sum, {fitted}) => sum + widthOf(fitted) + 1, -1)
  // Narrower than the first column alone: plain text, cut.
  if (used > width)
    return sized(`${selected ? '>' : ' '} ${cells[0]?.fitted ?? ''}`, width, {ellipsis})
  const line = cells.map(({fitted, tone}) => theme.paint(tone, fitted)).join(' ')
  const whole = `${selected ? '>' : ' '} ${line}${' '.repeat(width - used)}`
  return selected ? theme.paint('selected', whole) : whole
}

/** Rows by a column; equal ones keep their order, so that none jumps about. */
export function sortRows<Row>(
  rows: readonly Row[],
  column: Column<Row>,
  descending: boolean,
): readonly Row[] {
  const turn = descending ? -1 : 1
  return rows
    .map((row) => ({row, value: column.value(row)}))
    .sort((a, b) => compare(a.value, b.value, turn))
    .map(({row}) => row)
}

function compare(a: string | number | undefined, b: string | number | undefined, turn: number) {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  if (typeof a === 'number' && typeof b === 'number') return (a - b) * turn
  return COLLATOR.compare(String(a), String(b)) * turn
}

/** `gpu-2` before `gpu-10`. */
const COLLATOR = new Intl.Collator('en', {numeric: true})
