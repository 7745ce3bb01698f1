/**
 * Values as bars, the newest at the right, in exactly `width` columns. Of several that share a column the highest shows;
 * what is unknown is blank. `max`: what a full bar means; by default the highest value.
 */
export function sparkline(
  values: readonly (number | undefined)[],
  {
    width,
    bars,
    max,
  }: {readonly width: number; readonly bars: readonly string[]; readonly max?: number},
): string {
  if (width <= 0) return ''
  const per = Math.max(1, Math.ceil(values.length / width))
  const columns: (number | undefined)[] = []
  for (let end = values.length; end > 0 && columns.length < width; end -= per) {
    const known = values.slice(Math.max(0, end - per), end).filter((value) => value !== undefined)
    columns.unshift(known.length === 0 ? undefined : Math.max(...known))
  }
  const known = columns.filter((value) => value !== undefined)
  const top = max ?? Math.max(0, ...known)
  const line = columns.map((value) => barOf(value, top, bars)).join('')
  return ' '.repeat(width - columns.length) + line
}

function barOf(value: number | undefined, top: number, bars: readonly string[]): string {
  const [blank = ' '] = bars
  if (value === undefined || !(value > 0) || !(top > 0)) return blank
  const steps = bars.length - 1
  return bars[Math.min(steps, Math.max(1, Math.ceil((value / top) * steps)))] ?? blank
}
