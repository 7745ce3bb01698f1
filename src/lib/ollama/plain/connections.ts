import type {UpstreamHandler} from '../upstream.ts'
import {type Address, Connection, type Sent} from './connection.ts'

/** A connection that was free for so long is closed. Ollama itself closes none. */
export const KEEP_ALIVE_MS = 60_000
const SWEEP_MS = 10_000

/** The connections to one address, as many as there are requests at once; the one used last is used next. */
export class Connections {
  readonly #address: Address
  readonly #free: Connection[] = []
  readonly #all = new Set<Connection>()
  #sweep: NodeJS.Timeout | undefined
  #retired: (() => void) | undefined
  #closed = false

  constructor(address: Address) {
    this.#address = address
  }

  send(sent: Sent, handler: UpstreamHandler): void {
    let connection = this.#free.pop()
    if (!connection) {
      connection = new Connection(this.#address, this)
      this.#all.add(connection)
      this.#sweep ??= setInterval(() => this.#closeIdle(), SWEEP_MS).unref()
    }
    connection.send(sent, handler)
    if (this.#closed) connection.fail(new Error('the node is no longer used'))
  }

  free(connection: Connection): void {
    if (this.#closed) {
      connection.destroy()
      return
    }
    connection.freeSinceMs = performance.now()
    this.#free.push(connection)
  }

  gone(connection: Connection): void {
    this.#all.delete(connection)
    const at = this.#free.indexOf(connection)
    if (at >= 0) this.#free.splice(at, 1)
    if (this.#all.size > 0) return
    clearInterval(this.#sweep)
    this.#sweep = undefined
    this.#retired?.()
  }

  /** Takes nothing new; resolves when what is under way has ended. */
  retire(): Promise<void> {
    this.#closed = true
    for (const connection of this.#free.splice(0)) connection.destroy()
    return new Promise((resolve) => {
      if (this.#all.size === 0) resolve()
      else this.#retired = resolve
    })
  }

  /** Ends what is under way, which fails. */
  close(): Promise<void> {
    const closed = this.retire()
    for (const connection of this.#all) connection.fail(new Error('the node is no longer used'))
    return closed
  }

  #closeIdle(): void {
    const before = performance.now() - KEEP_ALIVE_MS
    // The oldest ones stand first.
    while (this.#free[0] && this.#free[0].freeSinceMs < before) this.#free.shift()?.destroy()
  }
}
