/**
 * The order in which nodes are changed: the canary alone, then the others in so many waves, as even as can be,
 * the smaller ones first. Without a canary named it is the first node; a single node is a wave of its own.
 */
export function wavesOf<T>(nodes: readonly T[], canary: T | undefined, waves: number): T[][] {
  const first = canary ?? nodes[0]
  if (first === undefined) return []
  const others = nodes.filter((node) => node !== first)
  const count = Math.min(waves, others.length)
  const all: T[][] = [[first]]
  let from = 0
  for (let at = 0; at < count; at++) {
    const to = from + Math.floor((others.length - from) / (count - at))
    all.push(others.slice(from, to))
    from = to
  }
  return all
}
