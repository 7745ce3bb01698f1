import {OllamaxError} from '../errors.ts'

/** Seconds of the units that a rate is counted over. */
const SECONDS: Readonly<Record<string, number>> = {s: 1, m: 60, h: 3600, d: 86_400}

/** The most that a rate may allow in a minute; anything above limits nothing. */
const MOST_PER_MINUTE = 1e9

/** Times per minute of a rate as people write it: `60/m`, `2/s`, `1000/h`, `10/d`. BAD_INPUT otherwise, and for 0. */
export function parseRate(text: string): number {
  const found = /^(\d+(?:\.\d+)?)\/([smhd])$/.exec(text.trim())
  const perMinute = found ? (Number(found[1]) * 60) / (SECONDS[found[2] ?? ''] ?? Number.NaN) : 0
  if (perMinute > 0 && perMinute <= MOST_PER_MINUTE) return perMinute
  throw new OllamaxError('BAD_INPUT', `"${text}" is not a rate`, {
    suggestions: ['write it like 60/m, 2/s, 1000/h or 100/d; without a rate there is no limit'],
  })
}

/** A rate in its shortest exact text, as `parseRate` reads it: `60/m`, `100/d`; rounded where none is exact. */
export function formatRate(perMinute: number): string {
  for (const unit of ['m', 'h', 'd'] as const) {
    const count = perMinute * ((SECONDS[unit] ?? 60) / 60)
    // 1000/h is a fraction of a minute that no number holds exactly.
    const whole = Math.round(count)
    if (whole > 0 && Math.abs(count - whole) < 1e-9 * whole) return `${whole}/${unit}`
  }
  return `${Number(perMinute.toPrecision(6))}/m`
}
