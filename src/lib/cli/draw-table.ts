import Table from 'cli-table3'

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
}
const GAP = 3
/** A column narrower than this says nothing. */
const LEAST = 6

/** A table without lines, as kubectl draws it: ASCII titles in `columns`, every row as long as them. */
export function drawTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
): string {
  const natural = columns.map((title, i) =>
    naturalWidth(
      title,
      rows.map((row) => row[i] ?? ''),
    ),
  )
  const widths = shrink(natural, width + GAP)
  const drawn = make([...columns], widths, GAP)
  for (const row of rows) drawn.push([...row])
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

/** Measured by the package itself, so that both agree on how wide a wide character is. */
function naturalWidth(title: string, values: readonly string[]): number {
  const column = make([title], [], GAP)
  for (const value of values) column.push([value])
  // Its width is that of the header line, which is ASCII and padded to the widest value.
  return column.width
}

/** Takes from the widest column until the line fits or nothing is left to take. */
export function shrink(natural: readonly number[], width: number): number[] {
  const widths = [...natural]
  let over = widths.reduce((sum, w) => sum + w, 0) - width
  while (over > 0) {
    const widest = Math.max(...widths)
    if (widest <= LEAST + GAP) break
    const second = Math.max(LEAST + GAP, ...widths.filter((w) => w < widest))
    const count = widths.filter((w) => w === widest).length
    const cut = Math.max(1, Math.min(widest - second, Math.floor(over / count)))
    for (let i = 0; i < widths.length && over > 0; i++) {
      if (widths[i] !== widest) continue
      widths[i] = widest - cut
      over -= cut
    }
  }
  return widths
}

function make(head: string[], colWidths: number[], gap: number) {
  return new Table({
    head,
    colWidths,
    chars: NO_LINES,
    truncate: '…',
    style: {'padding-left': 0, 'padding-right': gap, head: [], border: [], compact: true},
  })
}
