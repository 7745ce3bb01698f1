import type {Rate} from './rates.ts'

/** Contexts whose speeds are remembered per replica. */
const MOST = 8

/**
 * What was learned of one model on one node, by the context that it was loaded with: a larger one may lie partly
 * outside the GPU. One that has not been seen yet is taken to be like the last one.
 */
export class ContextRates {
  readonly #byContext = new Map<number, Rate>()
  #context = 0
  current: Rate | undefined

  /** `kept`: by key, as `entries` returned them. */
  constructor(key: string, kept: Readonly<Record<string, Rate>>) {
    this.current = kept[key]
    for (const [name, rate] of Object.entries(kept)) {
      if (!name.startsWith(`${key}@`)) continue
      const context = Number(name.slice(key.length + 1))
      if (context > 0) this.#byContext.set(context, rate)
    }
  }

  /** It is loaded with that context from now on. */
  switchTo(context: number | undefined): void {
    if (context === undefined || context === this.#context) return
    if (this.#context > 0 && this.current) this.#byContext.set(this.#context, this.current)
    this.#context = context
    this.current = this.#byContext.get(context) ?? this.current
    for (const oldest of this.#byContext.keys()) {
      if (this.#byContext.size <= MOST) break
      this.#byContext.delete(oldest)
    }
  }

  /** Takes over what somebody else has learned since, by key, as `entries` returned it. */
  adopt(key: string, kept: Readonly<Record<string, Rate>>): void {
    for (const [name, rate] of Object.entries(kept)) {
      const context = name.startsWith(`${key}@`) ? Number(name.slice(key.length + 1)) : undefined
      if (name === key || context === this.#context) this.current = later(this.current, rate)
      else if (context !== undefined && context > 0) {
        const latest = later(this.#byContext.get(context), rate)
        this.#byContext.set(context, latest)
      }
    }
  }

  /** By key: the model's own for the present context, with `@` and the context for each known one. */
  entries(key: string): ReadonlyArray<readonly [string, Rate]> {
    const all = new Map(this.#byContext)
    if (this.current && this.#context > 0) all.set(this.#context, this.current)
    const own = this.current ? [[key, this.current] as const] : []
    return [...own, ...[...all].map(([context, rate]) => [`${key}@${context}`, rate] as const)]
  }
}

const later = (known: Rate | undefined, other: Rate): Rate =>
  known && known.atMs >= other.atMs ? known : other
