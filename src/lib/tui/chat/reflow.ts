import type {Frame} from './frame.ts'
import {widthOf} from './spans.ts'

/**
 * How many rows more than it has lines a frame takes above its cursor when a terminal has become narrower and has broken
 * its lines anew. Whoever erases the frame has to begin so much higher.
 */
export function strayRows({lines, cursor}: Frame, columns: number): number {
  const above = lines.slice(0, cursor.y)
  const more = above.reduce(
    (sum, line) => sum + Math.max(0, Math.ceil(widthOf(line) / columns) - 1),
    0,
  )
  return more + Math.floor(cursor.x / columns)
}
