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
