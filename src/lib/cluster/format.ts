/** Numbers as people read them. None of them is meant to be parsed again. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** Bytes with three significant digits at most: `0 B`, `1.5 KiB`, `93 MiB`. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes) || bytes < 0) return 'unknown'
  let unit = 0
  let value = bytes
  // 1023.6 MiB would be shown as 1024 MiB: the unit changes where the rounded number would.
  while (Math.round(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  const text = value.toFixed(digits)
  return `${text.includes('.') ? text.replace(/\.?0+$/, '') : text} ${UNITS[unit]}`
}

/** Milliseconds as the two largest units: `840ms`, `1.2s`, `3m 20s`, `5h 2m`, `3d 4h`. */
export function formatMs(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return 'unknown'
  if (ms < 999.5) return `${Math.round(ms)}ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)}s`
  const seconds = Math.round(ms / 1000)
  for (const [unit, size, next, nextSize] of STEPS) {
    if (seconds < size * unitLimit(size)) {
      const whole = Math.floor(seconds / size)
      const rest = Math.floor((seconds % size) / nextSize)
      return rest > 0 ? `${whole}${unit} ${rest}${next}` : `${whole}${unit}`
    }
  }
  return 'unknown'
}

const STEPS = [
  ['m', 60, 's', 1],
  ['h', 3600, 'm', 60],
  ['d', 86_400, 'h', 3600],
] as const

const unitLimit = (size: number) => (size === 60 ? 60 : size === 3600 ? 24 : Infinity)

/** How long ago, in one unit, as a column of a table holds it: `now`, `42s`, `3m`, `5h`, `12d`. */
export function formatAge(ms: number): string {
  if (!Number.isFinite(ms)) return 'unknown'
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 2) return 'now'
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}

/** `a=1,b=2`, keys in order; `-` for none, so that a column is never empty. */
export function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))
  return pairs.map(([key, value]) => `${key}=${value}`).join(',') || '-'
}
