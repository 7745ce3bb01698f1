/** More hosts than this is taken for a slip of the pen. */
const MOST = 10_000
const RANGE = /\[([0-9]+|[A-Za-z]):([0-9]+|[A-Za-z])(?::([0-9]+))?\]/

/**
 * The hosts that a pattern stands for: `web[01:10]` (with zeros in front, where the first bound has them), `db-[a:c]`,
 * `x[0:10:2]`. Several ranges are all combinations. Throws an Error in words for a range that cannot be.
 */
export function expandHosts(pattern: string): string[] {
  const found = RANGE.exec(pattern)
  if (!found) {
    // An IPv6 address stands in brackets, too.
    if (/\[/.test(pattern) && !/^\[[0-9A-Fa-f:.]+\](?::\d+)?$/.test(pattern))
      throw new Error(`${JSON.stringify(pattern)} has a range that is none; write [01:10] or [a:f]`)
    return [pattern]
  }
  const [whole, from = '', to = '', step = '1'] = found
  const before = pattern.slice(0, found.index)
  const rest = expandHosts(pattern.slice(found.index + whole.length))
  const values = between(from, to, Number(step))
  if (values.length * rest.length > MOST)
    throw new Error(`${JSON.stringify(pattern)} stands for more than ${MOST} hosts`)
  return values.flatMap((value) => rest.map((end) => `${before}${value}${end}`))
}

function between(from: string, to: string, step: number): string[] {
  const letters = /[A-Za-z]/.test(from)
  if (step < 1) throw new Error('the step of a range is 0')
  if (letters !== /[A-Za-z]/.test(to)) throw new Error(`[${from}:${to}] mixes letters and numbers`)
  const [first, last] = letters
    ? [from.charCodeAt(0), to.charCodeAt(0)]
    : [Number(from), Number(to)]
  if (first > last) throw new Error(`[${from}:${to}] runs backwards`)
  if ((last - first) / step > MOST)
    throw new Error(`[${from}:${to}] stands for more than ${MOST} hosts`)
  const width = from.startsWith('0') ? from.length : 0
  const values: string[] = []
  for (let at = first; at <= last; at += step)
    values.push(letters ? String.fromCharCode(at) : String(at).padStart(width, '0'))
  return values
}
