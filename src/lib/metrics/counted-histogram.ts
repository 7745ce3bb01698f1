import {Histogram, type Registry} from 'prom-client'
import type {Buckets} from './buckets.ts'

export type Labels = Readonly<Record<string, string>>
type Counted = readonly [Labels, Buckets]

/** Series written in one go: about 5 ms on a slow core, and streams wait no longer. */
const PAGE = 64
/** `# HELP` and `# TYPE`. */
const HEAD_LINES = 2

/** A histogram of prom-client whose numbers are counted elsewhere. */
export class CountedHistogram extends Histogram {
  readonly #about: {readonly name: string; readonly help: string}
  readonly #read: () => Iterable<Counted>
  #page: readonly Counted[] | undefined

  constructor(
    registry: Registry,
    name: string,
    help: string,
    labelNames: string[],
    read: () => Iterable<Counted>,
  ) {
    const about = {name: `ollamax_${name}`, help}
    super({...about, labelNames, registers: [registry]})
    this.#about = about
    this.#read = read
  }

  /** Its text in pieces, to be put together with newlines; the first alone has the head. */
  async *pages(registry: Registry): AsyncIterable<string> {
    const all = [...this.#read()]
    for (let at = 0; at === 0 || at < all.length; at += PAGE) {
      // Read before the call below gives way, so that another scrape meanwhile does no harm.
      this.#page = all.slice(at, at + PAGE)
      const text = registry.getSingleMetricAsString(this.#about.name)
      this.#page = undefined
      yield at === 0 ? await text : (await text).split('\n').slice(HEAD_LINES).join('\n')
    }
  }

  /** What prom-client 15 calls for the text, and its own `get` for all else; not among its types. */
  async getForPromString() {
    const values = [...(this.#page ?? this.#read())].flatMap(([labels, buckets]) =>
      this.#values(labels, buckets),
    )
    return {...this.#about, type: 'histogram', aggregator: 'sum', values}
  }

  #values(sharedLabels: Labels, {bounds, counts, count, sumSeconds}: Buckets) {
    const {name} = this.#about
    let under = 0
    return [
      ...Array.from(counts, (here, at) => {
        under += here
        const labels = {le: bounds[at] ?? '+Inf'}
        return {metricName: `${name}_bucket`, labels, sharedLabels, value: under}
      }),
      {metricName: `${name}_sum`, labels: {}, sharedLabels, value: sumSeconds},
      {metricName: `${name}_count`, labels: {}, sharedLabels, value: count},
    ]
  }
}
