/** A node that could take a replica. */
export interface Place {
  readonly node: string
  readonly has: boolean
  readonly drained: boolean
  /** Absent: unknown. */
  readonly freeBytes?: number
}

/**
 * The nodes for so many replicas: first those that have the model, so that as little as possible moves, then those with
 * most room; of equals the first by name. Drained ones only count if they have it. Undefined if there are too few.
 */
export function chooseNodes(places: readonly Place[], replicas: number): string[] | undefined {
  const fit = places
    .filter(({has, drained}) => has || !drained)
    .sort(
      (a, b) =>
        Number(b.has) - Number(a.has) ||
        (b.freeBytes ?? -1) - (a.freeBytes ?? -1) ||
        (a.node < b.node ? -1 : 1),
    )
  return fit.length < replicas ? undefined : fit.slice(0, replicas).map(({node}) => node)
}
