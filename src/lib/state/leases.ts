import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import {join} from 'node:path'
import {startInStat} from './process-stat.ts'

/** What all processes of this machine are doing with one node. */
export interface NodeUse {
  /** Requests that live processes hold a lease for. */
  readonly inFlight: number
  /** When a lease was last taken or given back, ms since the epoch; 0 = never. */
  readonly lastUsedMs: number
}

/** The right to send one request to a node; counted by all others until released or until its process dies. */
export interface Lease {
  readonly node: string
  release(): void
}

/** Each lost race means that another process took its slot, so this many are never needed. */
const MOST_TRIES = 1000

/**
 * Takes a lease on the node that `choose` names after it has seen the use of all `nodes`; undefined when
 * it names none. Of many processes that choose at once each sees the leases of those before it: a lease
 * is the node's lowest free slot, which only one process can create, and the others choose again.
 * Where leases cannot be written, the choice still counts, without being seen by others.
 */
export function takeLease(
  dir: string,
  nodes: readonly string[],
  choose: (use: ReadonlyMap<string, NodeUse>) => string | undefined,
): Lease | undefined {
  const holder = `${process.pid}:${startOf(process.pid) ?? ''}`
  for (let tries = 0; ; tries++) {
    const slots = slotsOf(dir, nodes)
    const node = choose(slots)
    if (node === undefined) return undefined
    const unseen = {node, release: () => {}}
    if (tries === MOST_TRIES) return unseen
    try {
      const path = claim(join(dir, node), slots.get(node)?.taken ?? new Map(), holder)
      if (path) return {node, release: once(() => remove(path))}
    } catch {
      return unseen
    }
  }
}

/** The use of each node now. */
export function readUse(dir: string, nodes: readonly string[]): ReadonlyMap<string, NodeUse> {
  return slotsOf(dir, nodes)
}

/** Of most nodes of a large fleet no lease was ever taken: to ask the disk for each would be dear. */
function slotsOf(dir: string, nodes: readonly string[]): Map<string, NodeSlots> {
  const used = new Set(namesIn(dir))
  const of = (node: string) => (used.has(node) ? readSlots(join(dir, node)) : UNUSED)
  return new Map(nodes.map((node) => [node, of(node)]))
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    // No lease was ever taken here.
    return []
  }
}

/**
 * A slot's file is called `slot~generation` and is a symbolic link whose target names the holder: made
 * and filled in one step, and read in one. A dead holder's link is not removed and made anew, for
 * between the two another process may have done the same. Instead the next generation is made, which
 * only one can, and who holds that is the only one who may remove the one before.
 */
interface Slot {
  readonly generation: number
  readonly live: boolean
}

interface NodeSlots extends NodeUse {
  readonly taken: ReadonlyMap<number, Slot>
}

const UNUSED: NodeSlots = {taken: new Map(), inFlight: 0, lastUsedMs: 0}

function readSlots(dir: string): NodeSlots {
  const taken = new Map<number, Slot>()
  let inFlight = 0
  let lastUsedMs = 0
  try {
    const names = readdirSync(dir)
    // A directory's own time changes with each link made or removed in it.
    lastUsedMs = statSync(dir).mtimeMs
    for (const name of names) {
      const [slot, generation] = name.split('~').map(Number)
      if (!Number.isInteger(slot) || !Number.isInteger(generation)) continue
      const live = isLive(join(dir, name))
      if (live) inFlight++
      note(taken, slot as number, {generation: generation as number, live})
    }
  } catch {
    // No lease was ever taken here.
  }
  return {taken, inFlight, lastUsedMs}
}

function note(taken: Map<number, Slot>, slot: number, found: Slot): void {
  const known = taken.get(slot)
  taken.set(slot, {
    generation: Math.max(found.generation, known?.generation ?? 0),
    live: found.live || (known?.live ?? false),
  })
}

/** The path of the link made, or undefined if another process was faster. */
function claim(dir: string, taken: ReadonlyMap<number, Slot>, holder: string): string | undefined {
  let slot = 0
  while (taken.get(slot)?.live) slot++
  const dead = taken.get(slot)
  const path = join(dir, `${slot}~${dead ? dead.generation + 1 : 0}`)
  if (!link(holder, path, dir)) return undefined
  if (dead) {
    const before = join(dir, `${slot}~${dead.generation}`)
    // Asked again: now that the next generation is ours, it can no longer come to life.
    if (!isLive(before)) remove(before)
  }
  return path
}

function link(holder: string, path: string, dir: string): boolean {
  for (let again = true; ; again = false) {
    try {
      symlinkSync(holder, path)
      return true
    } catch (error) {
      const {code} = error as NodeJS.ErrnoException
      if (code === 'EEXIST') return false
      if (code !== 'ENOENT' || !again) throw error
      mkdirSync(dir, {recursive: true, mode: 0o700})
    }
  }
}

/** A second release would remove the link of whoever took the slot after us. */
function once(act: () => void): () => void {
  let done = false
  return () => {
    if (!done) act()
    done = true
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // Gone already, or the directory was made read-only: it dies with this process in any case.
  }
}

function isLive(path: string): boolean {
  let holder: string
  try {
    holder = readlinkSync(path)
  } catch {
    return false
  }
  const [pid, start] = holder.split(':')
  const number = Number(pid)
  if (!Number.isInteger(number) || number <= 0) return false
  if (!start) return answersSignal(number)
  return startOf(number) === start
}

/** What tells a process from a later one of the same number; undefined: no such process, or not Linux. */
function startOf(pid: number): string | undefined {
  try {
    return startInStat(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return undefined
  }
}

function answersSignal(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
