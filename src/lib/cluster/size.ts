import {OllamaxError} from '../errors.ts'

const DURATION_UNITS: ReadonlyArray<readonly [string, number]> = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]

const SIZE_UNITS: ReadonlyArray<readonly [string, number]> = [
  ['TiB', 2 ** 40],
  ['TB', 1e12],
  ['GiB', 2 ** 30],
  ['GB', 1e9],
  ['MiB', 2 ** 20],
  ['MB', 1e6],
  ['KiB', 2 ** 10],
  ['kB', 1e3],
  ['B', 1],
]

/**
 * Milliseconds of a duration as people write it: `30s`, `1.5h`, `1h30m`, `250ms`, `0`. A bare number
 * other than 0 is refused, since nobody can tell its unit. BAD_INPUT says what is wrong.
 */
export function parseDuration(text: string): number {
  const trimmed = text.trim()
  if (trimmed === '0') return 0
  const whole = /^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/.test(trimmed)
  if (!whole) {
    const bare = /^\d+(?:\.\d+)?$/.test(trimmed)
    throw new OllamaxError('BAD_INPUT', `"${text}" is not a duration`, {
      suggestions: [
        bare
          ? `say the unit, for example ${trimmed}s`
          : 'write it like 500ms, 30s, 5m, 1h30m or 2d',
      ],
    })
  }
  let ms = 0
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g))
    ms += Number(amount) * factorOf(DURATION_UNITS, unit ?? '')
  return bounded(Math.round(ms), text)
}

/** The shortest exact text of a duration in ms (rounded to whole ms), as parseDuration reads it. */
export function formatDuration(ms: number): string {
  let left = Math.max(0, Math.round(ms))
  if (left === 0) return '0s'
  let text = ''
  for (const [unit, factor] of DURATION_UNITS) {
    const count = Math.floor(left / factor)
    if (count > 0) text += `${count}${unit}`
    left -= count * factor
  }
  return text
}

/** A duration for people, rounded to what matters: `12ms`, `1.3s`, `42s`, `2m5s`, `3h10m`, `4d2h`. */
export function roundDuration(ms: number): string {
  const left = Math.max(0, ms)
  if (left < 999.5) return `${Math.round(left)}ms`
  if (left < 9950) return `${(left / 1000).toFixed(1)}s`
  if (left < 3_599_500) return formatDuration(Math.round(left / 1000) * 1000)
  if (left < 86_370_000) return formatDuration(Math.round(left / 60_000) * 60_000)
  return formatDuration(Math.round(left / 3_600_000) * 3_600_000)
}

/**
 * Bytes of a size as people write it: `24GiB` (1024s), `24GB` (1000s), `512MiB`, `1.5TiB`, `0`. A bare
 * number other than 0 is refused. BAD_INPUT says what is wrong.
 */
export function parseSize(text: string): number {
  const trimmed = text.trim()
  if (trimmed === '0') return 0
  const found = /^(\d+(?:\.\d+)?) ?([kKMGT]i?B|B)$/.exec(trimmed)
  if (!found) {
    const bare = /^\d+(?:\.\d+)?$/.test(trimmed)
    throw new OllamaxError('BAD_INPUT', `"${text}" is not a size`, {
      suggestions: [
        bare ? `say the unit, for example ${trimmed}GiB` : 'write it like 512MiB, 24GiB or 24GB',
      ],
    })
  }
  const unit = (found[2] ?? '').replace(/^KB$/, 'kB').replace(/^kiB$/, 'KiB')
  return bounded(Math.round(Number(found[1]) * factorOf(SIZE_UNITS, unit)), text)
}

/** The exact text of a size in bytes (rounded to whole bytes): the largest unit that divides it. */
export function formatSize(bytes: number): string {
  const whole = Math.max(0, Math.round(bytes))
  if (whole === 0) return '0B'
  for (const [unit, factor] of SIZE_UNITS)
    if (whole % factor === 0) return `${whole / factor}${unit}`
  return `${whole}B`
}

/** A size for people, three digits at most: `4.7GiB`, `512MiB`, `980B`. */
export function roundSize(bytes: number): string {
  const value = Math.max(0, bytes)
  for (const [unit, factor] of SIZE_UNITS) {
    if (!unit.endsWith('iB') || value < factor) continue
    const count = value / factor
    return `${count < 9.95 ? count.toFixed(1) : Math.round(count)}${unit}`
  }
  return `${Math.round(value)}B`
}

function factorOf(units: ReadonlyArray<readonly [string, number]>, unit: string): number {
  return units.find(([name]) => name === unit)?.[1] ?? Number.NaN
}

function bounded(value: number, text: string): number {
  if (Number.isSafeInteger(value)) return value
  throw new OllamaxError('BAD_INPUT', `"${text}" is too large`)
}
