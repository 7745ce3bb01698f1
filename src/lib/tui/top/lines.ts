import {clean, sized, widthOf, wrap} from './text.ts'
import type {Theme, Tone} from './theme.ts'

/** A piece of a line, and what it means. */
export interface Segment {
  readonly text: string
  readonly tone?: Tone
}
export type TextLine = readonly Segment[]

/** The line in exactly `width` columns. */
export function fitLine(line: TextLine, width: number, theme: Theme): string {
  let left = width
  let text = ''
  for (const {text: piece, tone = 'plain'} of line) {
    if (left <= 0) break
    const columns = Math.min(left, widthOf(clean(piece)))
    text += theme.paint(tone, sized(piece, columns, {ellipsis: theme.glyphs.ellipsis}))
    left -= columns
  }
  return text + ' '.repeat(left)
}

export type Field = readonly [name: string, value: string | undefined, tone?: Tone]

const LABEL = 14

/** `name  value` lines; what is longer than a line goes on below. Fields without a value are left out. */
export function fieldLines(fields: readonly Field[], width: number): TextLine[] {
  return fields.flatMap(([name, value, tone]) => {
    if (value === undefined) return []
    return wrap(value, Math.max(10, width - LABEL - 1)).map((text, at) => [
      {text: sized(at === 0 ? name : '', LABEL), tone: 'dim' as const},
      {text: ' '},
      {text, ...(tone === undefined ? {} : {tone})},
    ])
  })
}

/** A heading with an empty line above. */
export const heading = (text: string): TextLine[] => [[], [{text, tone: 'strong'}]]

/** Columns as wide as their widest cell, parted by two blanks. */
export function gridLines(rows: readonly (readonly string[])[], tone?: Tone): TextLine[] {
  const widths = rows.reduce<number[]>((all, row) => {
    row.forEach((cell, at) => {
      all[at] = Math.max(all[at] ?? 0, widthOf(clean(cell)))
    })
    return all
  }, [])
  return rows.map((row, line) => [
    {
      text: row.map((cell, at) => sized(cell, widths[at] ?? 0)).join('  '),
      ...(line === 0 ? {tone: 'dim' as const} : tone === undefined ? {} : {tone}),
    },
  ])
}
