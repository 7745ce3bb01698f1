import {OllamaxError} from '../errors.ts'

/**
 * The IPv4 addresses of ranges: `10.0.0.0/24` (without the network's own and the broadcast address),
 * `10.0.0.10-10.0.0.20` or one address, each once. BAD_INPUT for anything else, and for more than `most` of them.
 */
export function addressesOf(ranges: readonly string[], most: number): string[] {
  const bounds = ranges.map(boundsOf)
  const count = bounds.reduce((sum, {first, last}) => sum + last - first + 1, 0)
  if (count > most)
    throw new OllamaxError(
      'BAD_INPUT',
      `these ranges hold ${count} addresses; at most ${most} are probed`,
      {
        suggestions: ['name smaller ranges', 'or allow more: --max-hosts'],
      },
    )
  const all = new Set<number>()
  for (const {first, last} of bounds) for (let at = first; at <= last; at++) all.add(at)
  return [...all].map(textOf)
}

interface Bounds {
  readonly first: number
  readonly last: number
}

function boundsOf(range: string): Bounds {
  const [, base = '', bits] = /^([\d.]+)\/(\d{1,2})$/.exec(range) ?? []
  const start = numberOf(base)
  if (start !== undefined && Number(bits) <= 32) {
    const size = 2 ** (32 - Number(bits))
    const first = Math.floor(start / size) * size
    // A range of one or two addresses has no network's own.
    const edge = size > 2 ? 1 : 0
    return {first: first + edge, last: first + size - 1 - edge}
  }
  const [from = '', to = from, ...more] = range.split('-')
  const [first, last] = [numberOf(from), numberOf(to)]
  if (first !== undefined && last !== undefined && first <= last && more.length === 0)
    return {first, last}
  throw new OllamaxError('BAD_INPUT', `${JSON.stringify(range)} is no range of addresses`, {
    suggestions: ['for example 10.0.0.0/24, 10.0.0.10-10.0.0.20 or 10.0.0.7'],
  })
}

function numberOf(address: string): number | undefined {
  const parts = address.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256))
    return undefined
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0)
}

const textOf = (value: number) =>
  [24, 16, 8, 0].map((bits) => Math.floor(value / 2 ** bits) % 256).join('.')
