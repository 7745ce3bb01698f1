import type {Tokens} from 'marked'
import {type Look, type Row, rowWidth, type Span, type Style, span} from '../spans.ts'
import {wrapSpans} from '../wrap.ts'
import {inline} from './inline.ts'

const NARROWEST = 4
const BAR: Style = {dim: true}

type Align = 'left' | 'right' | 'center' | null

/** A table whose cells are wrapped until it fits; where that cannot be, each row as `header: value` lines. */
export function tableRows(token: Tokens.Table, width: number, look: Look): Row[] {
  const cells = (row: readonly Tokens.TableCell[], style: Style = {}) =>
    row.map((cell) => inline(cell.tokens, look, style))
  const head = cells(token.header, {bold: true})
  const body = token.rows.map((row) => cells(row))
  const widths = columnsFor([head, ...body], width)
  if (!widths) return asLines(head, body, width)
  const aligns = token.align as readonly Align[]
  const line = widths.map((columns) => '─'.repeat(columns)).join('─┼─')
  return [
    ...drawRow(head, widths, aligns),
    [span(line, BAR)],
    ...body.flatMap((row) => drawRow(row, widths, aligns)),
  ]
}

/** Columns for each column: as wide as its widest cell, the widest ones cut down. */
function columnsFor(rows: readonly (readonly Span[][])[], width: number): number[] | undefined {
  const count = rows[0]?.length ?? 0
  const room = width - 3 * (count - 1)
  if (room < count * NARROWEST) return undefined
  const widths = Array.from({length: count}, (_, at) =>
    Math.max(
      1,
      ...rows.map((row) => Math.max(0, ...wrapSpans(row[at] ?? [], 10_000).map(rowWidth))),
    ),
  )
  for (let over = sum(widths) - room; over > 0; ) {
    const widest = Math.max(...widths)
    const at = widths.indexOf(widest)
    const next = Math.max(0, ...widths.filter((one) => one < widest), NARROWEST)
    const cut = Math.min(over, Math.max(1, widest - next))
    widths[at] = widest - cut
    over -= cut
  }
  return widths
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0)

function drawRow(
  cells: readonly Span[][],
  widths: readonly number[],
  aligns: readonly Align[],
): Row[] {
  const wrapped = widths.map((columns, at) => wrapSpans(cells[at] ?? [], columns))
  const height = Math.max(1, ...wrapped.map((rows) => rows.length))
  return Array.from({length: height}, (_, y) =>
    widths.flatMap((columns, at): Span[] => {
      const cell = wrapped[at]?.[y] ?? []
      const spare = Math.max(0, columns - rowWidth(cell))
      const align = aligns[at]
      const left = align === 'right' ? spare : align === 'center' ? Math.floor(spare / 2) : 0
      const last = at === widths.length - 1
      return [
        span(' '.repeat(left)),
        ...cell,
        ...(last ? [] : [span(' '.repeat(spare - left)), span(' │ ', BAR)]),
      ]
    }),
  )
}

function asLines(
  head: readonly Span[][],
  body: readonly (readonly Span[][])[],
  width: number,
): Row[] {
  const all = body.length > 0 ? body : [head.map(() => [])]
  return all.flatMap((row, at) => [
    ...(at > 0 ? [[]] : []),
    ...head.flatMap((name, column) =>
      wrapSpans([...name, span(': '), ...(row[column] ?? [])], width),
    ),
  ])
}
