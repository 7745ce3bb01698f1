import {modelKey} from '../cluster/model-name.ts'
import type {WantedModel} from '../cluster/node.ts'
import {roundSize} from '../cluster/size.ts'
import type {Budget, Need} from './budget.ts'
import type {Candidate, Wish} from './candidate.ts'
import {replicaKey} from './placement.ts'
import {hindranceOf} from './unmet.ts'

export interface Choosing {
  readonly budget: Budget
  readonly prefer?: ReadonlySet<string> | undefined
}

/** A node that was chosen for a new replica, and why. */
export interface Pick {
  readonly candidate: Candidate
  readonly why: string
}

/** Tries before the first choice that nearly fits is taken instead of one that fits whole. */
const MAX_TRIES = 20_000

/**
 * Nodes for the missing replicas of each wish. The largest model chooses first; where that leaves another without room,
 * other choices are tried. The budget is left as after the choice that is returned.
 */
export function chooseNodes(
  wishes: readonly Wish[],
  choosing: Choosing,
): Map<Wish, readonly Pick[]> {
  const order = [...wishes].sort((a, b) => sizeOf(b.need) - sizeOf(a.need) || a.at - b.at)
  const search = new Search(order, choosing)
  return search.whole() ?? search.greedy()
}

/** A model of unknown size comes last: it takes what the others leave. */
const sizeOf = ({diskBytes}: Need) => (diskBytes === 'unknown' ? -1 : diskBytes)

class Search {
  readonly #order: readonly Wish[]
  readonly #choosing: Choosing
  #tries = 0

  constructor(order: readonly Wish[], choosing: Choosing) {
    this.#order = order
    this.#choosing = choosing
  }

  /** A choice that gives every wish all it misses; undefined: there is none, or none was found in time. */
  whole(): Map<Wish, readonly Pick[]> | undefined {
    const found: Array<readonly [Wish, readonly Pick[]]> = []
    return this.#wish(0, found) ? new Map(found) : undefined
  }

  #wish(at: number, found: Array<readonly [Wish, readonly Pick[]]>): boolean {
    const wish = this.#order[at]
    if (!wish) return true
    const list = this.#list(wish)
    const picks: Pick[] = []
    const from = (start: number): boolean => {
      if (picks.length === wish.missing) {
        found.push([wish, [...picks]])
        if (this.#wish(at + 1, found)) return true
        found.pop()
        return false
      }
      // As many must be left as are still to be chosen.
      for (let i = start; i <= list.length - (wish.missing - picks.length); i++) {
        const candidate = list[i]
        if (!candidate || ++this.#tries > MAX_TRIES) return false
        if (hindranceOf(candidate, wish.need, this.#choosing.budget)) continue
        picks.push(this.#take(wish, candidate))
        if (from(i + 1)) return true
        picks.pop()
        this.#choosing.budget.unplace(candidate.state, wish.need)
      }
      return false
    }
    return from(0)
  }

  /** As many as fit, in order. */
  greedy(): Map<Wish, readonly Pick[]> {
    return new Map(
      this.#order.map((wish) => {
        const picks: Pick[] = []
        for (const candidate of this.#list(wish)) {
          if (picks.length === wish.missing) break
          if (hindranceOf(candidate, wish.need, this.#choosing.budget)) continue
          picks.push(this.#take(wish, candidate))
        }
        return [wish, picks]
      }),
    )
  }

  #list({candidates, wanted, need}: Wish): Candidate[] {
    const used = new Set(candidates.filter(({has}) => has).map(({state}) => state.host))
    return ranked(
      candidates.filter(({has}) => !has),
      wanted,
      {...this.#choosing, need, used},
    )
  }

  #take({wanted, need, candidates}: Wish, candidate: Candidate): Pick {
    const {budget} = this.#choosing
    const free = budget.disk(candidate.state)
    budget.place(candidate.state, need)
    const room = free === 'unknown' ? 'unknown room' : `${roundSize(free)} free`
    const several = candidates.filter(({has}) => !has).length > 1
    const choice =
      wanted.placement.strategy === 'pack' ? 'the fullest that takes it' : 'the most room'
    const size = need.diskBytes === 'unknown' ? '; its size is known once it is pulled' : ''
    return {candidate, why: `${several ? `${choice}: ` : ''}${room}${size}`}
  }
}

interface Ranking extends Choosing {
  readonly need: Need
  /** Machines that have the model already. */
  readonly used: ReadonlySet<string>
}

const GIB = 2 ** 30

/**
 * Nodes for a new replica, the best first: on machines of their own, where a GPU holds it whole, where most is free
 * (`pack`: least). Room counts by the GiB, so that a log that grows changes nothing.
 */
function ranked(
  candidates: readonly Candidate[],
  wanted: WantedModel,
  {budget, prefer, need, used}: Ranking,
): Candidate[] {
  const free = ({state}: Candidate) => {
    const disk = budget.disk(state)
    return disk === 'unknown' ? -1 : Math.floor(disk / GIB)
  }
  const onGpu = ({state: {gpuBytes}}: Candidate) =>
    gpuBytes !== 'unknown' && need.memoryBytes !== 'unknown' && gpuBytes >= need.memoryBytes
  const chosen = ({state}: Candidate) => prefer?.has(replicaKey(wanted.name, state.name)) ?? false
  const pack = wanted.placement.strategy === 'pack'
  const sorted = [...candidates].sort(
    (a, b) =>
      first(chosen, a, b) ||
      first(onGpu, a, b) ||
      (pack ? free(a) - free(b) : free(b) - free(a)) ||
      byName(a, b),
  )
  return acrossHosts(sorted, used)
}

/**
 * Replicas that are there, those to keep first: where requests go, in memory already, on machines of their own. What is
 * free does not count: placing another model would make it a different choice.
 */
export function settled(candidates: readonly Candidate[], wanted: WantedModel): Candidate[] {
  const key = modelKey(wanted.name)
  const sorted = [...candidates].sort(
    (a, b) =>
      first(({spec, state}) => !spec.drained && !state.silent, a, b) ||
      first(({state}) => state.loaded.some(({name}) => modelKey(name) === key), a, b) ||
      byName(a, b),
  )
  return acrossHosts(sorted, new Set())
}

/** Those for which it is so come first. */
const first = (is: (one: Candidate) => boolean, a: Candidate, b: Candidate) =>
  Number(is(b)) - Number(is(a))

const byName = (a: Candidate, b: Candidate) => (a.state.name < b.state.name ? -1 : 1)

/** The same order, but the second node of a machine comes after the first of every other. */
function acrossHosts(sorted: readonly Candidate[], used: ReadonlySet<string>): Candidate[] {
  const seen = new Map([...used].map((host) => [host, 1]))
  const rounds = sorted.map((candidate) => {
    const {host} = candidate.state
    const round = seen.get(host) ?? 0
    seen.set(host, round + 1)
    return {candidate, round}
  })
  return rounds.sort((a, b) => a.round - b.round).map(({candidate}) => candidate)
}
