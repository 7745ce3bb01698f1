import {colorsOn, oneLine, paint, type Tone} from './paint.ts'

/** A value of a table, coloured by its meaning where colours are on. */
export type Cell = string | {readonly text: string; readonly tone: Tone}

export interface TableOptions {
  /** Draw for people. Default: as OLLAMAX_OUTPUT says, else whether stdout is a terminal. */
  readonly tty?: boolean
  /** Columns of the terminal; wide values are cut to fit, the widest first. */
  readonly width?: number
  /** Default: as `colorsOn` says for stdout. */
  readonly color?: boolean
}

/**
 * Rows as text without a final newline; '' for no rows. On a terminal an aligned table under a header.
 * Otherwise one line per row, values separated by one tab and **no header**, so that `cut -f2` and
 * `while read` work on it; columns are only ever added at the end. Control characters in values
 * become spaces either way.
 */
export async function table(
  columns: readonly string[],
  rows: readonly (readonly Cell[])[],
  options: TableOptions = {},
): Promise<string> {
  const {stdout, env} = process
  if (rows.length === 0) return ''
  if (!(options.tty ?? forPeople())) return rows.map((row) => row.map(textOf).join('\t')).join('\n')
  const color = options.color ?? colorsOn(stdout, env)
  const {drawTable} = await import('./draw-table.ts')
  const drawn = rows.map((row) =>
    row.map((cell) =>
      typeof cell === 'string' ? textOf(cell) : paint(cell.tone, textOf(cell), color),
    ),
  )
  return drawTable(columns, drawn, options.width ?? (stdout.columns || 80))
}

/** Whether results are laid out for people: as OLLAMAX_OUTPUT says, else whether stdout is a terminal. */
export function forPeople(): boolean {
  const wanted = process.env.OLLAMAX_OUTPUT
  return wanted === 'table' || (wanted !== 'plain' && process.stdout.isTTY === true)
}

const textOf = (cell: Cell) => oneLine(typeof cell === 'string' ? cell : cell.text)

/**
 * One thing as `name: value` lines, without a final newline; what has no value is left out. The same
 * on a terminal and piped, but aligned only on a terminal: piped, name and value are parted by a tab.
 */
export function describeFields(
  fields: readonly (readonly [name: string, value: string | undefined])[],
  tty = forPeople(),
): string {
  const given = fields.filter((field): field is readonly [string, string] => field[1] !== undefined)
  const width = Math.max(0, ...given.map(([name]) => name.length))
  return given
    .map(([name, value]) =>
      tty ? `${`${name}:`.padEnd(width + 3)}${oneLine(value)}` : `${name}\t${oneLine(value)}`,
    )
    .join('\n')
}
