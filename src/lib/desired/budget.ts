import type {Bytes, NodeState} from './fleet-state.ts'

/** Stays free on each disk: with less, doctor calls it full. */
export const RESERVE_BYTES = 100 * 2 ** 20

/** A model in memory needs its weights and something to work with, where nobody has seen it loaded. */
const IN_MEMORY = 1.1

/** What a replica needs. */
export interface Need {
  readonly diskBytes: Bytes
  readonly memoryBytes: Bytes
  /** It stays in memory, beside others that do. */
  readonly warm: boolean
}

/** Bytes in memory of a model whose files have this size. */
export const inMemory = (diskBytes: number) => Math.ceil(diskBytes * IN_MEMORY)

interface Room {
  disk: Bytes
  memory: Bytes
}

/** What is left on each machine while replicas are given out. Nodes of one machine share what it has. */
export class Budget {
  readonly #rooms = new Map<string, Room>()
  readonly #warm = new Map<string, number>()

  constructor(nodes: readonly NodeState[]) {
    for (const {host, freeBytes, memoryBytes} of nodes) {
      const shared = this.#rooms.get(host)
      // Two nodes of a machine may have disks of their own; the smaller is right for both.
      this.#rooms.set(host, {
        disk: shared ? least(shared.disk, freeBytes) : freeBytes,
        memory: shared ? least(shared.memory, memoryBytes) : memoryBytes,
      })
    }
  }

  /** Free on disk, after what stays free there. */
  disk({host}: NodeState): Bytes {
    const disk = this.#rooms.get(host)?.disk ?? 'unknown'
    return disk === 'unknown' ? disk : Math.max(0, disk - RESERVE_BYTES)
  }

  /** What keeps a new replica away from the node, in words; undefined: nothing. */
  hindrance(node: NodeState, need: Need): Hindrance | undefined {
    const disk = this.disk(node)
    if (disk === 'unknown') return {what: 'does not tell its free disk'}
    if (disk === 0 || (need.diskBytes !== 'unknown' && need.diskBytes > disk))
      return {what: 'disk', lacksBytes: need.diskBytes === 'unknown' ? 1 : need.diskBytes - disk}
    return this.#memoryHindrance(node, need)
  }

  /** What keeps a replica that is there out of memory; undefined: nothing that is known. */
  warmHindrance(node: NodeState, need: Need): Hindrance | undefined {
    return node.memoryBytes === 'unknown' ? undefined : this.#memoryHindrance(node, need)
  }

  #memoryHindrance(node: NodeState, {memoryBytes, warm}: Need): Hindrance | undefined {
    const left = this.#rooms.get(node.host)?.memory ?? 'unknown'
    if (left === 'unknown') return {what: 'does not tell its memory'}
    if (warm && (this.#warm.get(node.name) ?? 0) >= node.maxLoaded)
      return {what: `keeps ${node.maxLoaded} models in memory and no more`}
    // What is not kept in memory has all of it to itself when it is asked for.
    const room = warm || node.memoryBytes === 'unknown' ? left : node.memoryBytes
    if (memoryBytes !== 'unknown' && memoryBytes > room)
      return {what: 'memory', lacksBytes: memoryBytes - room}
    return undefined
  }

  /** A new replica lies on the node: takes its room on disk, and in memory if it is to stay there. */
  place(node: NodeState, need: Need): void {
    const room = this.#rooms.get(node.host)
    if (room && room.disk !== 'unknown' && need.diskBytes !== 'unknown') room.disk -= need.diskBytes
    this.warm(node, need)
  }

  /** A replica that is there stays in memory, if it is to. */
  warm(node: NodeState, {memoryBytes, warm}: Need): void {
    if (!warm) return
    this.#warm.set(node.name, (this.#warm.get(node.name) ?? 0) + 1)
    const room = this.#rooms.get(node.host)
    if (room && room.memory !== 'unknown' && memoryBytes !== 'unknown') room.memory -= memoryBytes
  }

  /** Takes `place` back. */
  unplace(node: NodeState, {diskBytes, memoryBytes, warm}: Need): void {
    const room = this.#rooms.get(node.host)
    if (room && room.disk !== 'unknown' && diskBytes !== 'unknown') room.disk += diskBytes
    if (!warm) return
    this.#warm.set(node.name, (this.#warm.get(node.name) ?? 0) - 1)
    if (room && room.memory !== 'unknown' && memoryBytes !== 'unknown') room.memory += memoryBytes
  }
}

/** Why a node does not take a replica. */
export interface Hindrance {
  /** `disk`, `memory`, or a sentence. */
  readonly what: string
  /** Of disk or memory. */
  readonly lacksBytes?: number
}

function least(a: Bytes, b: Bytes): Bytes {
  return a === 'unknown' || b === 'unknown' ? 'unknown' : Math.min(a, b)
}
