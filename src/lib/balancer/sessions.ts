import type {DispatchRequest} from './dispatch-request.ts'
import type {Replica} from './replica.ts'

/** Where the last request of a conversation was answered, and how long it was. */
export interface Session {
  readonly replica: Replica
  readonly promptTokens: number
  /** Of the replica's prefixes: what is of an earlier one was forgotten with them. */
  readonly epoch: number
}

/** Conversations by their name; the longest unused ones are forgotten. */
export class Sessions {
  readonly #most: number
  readonly #known = new Map<string, Session>()

  constructor(most: number) {
    this.#most = most
  }

  of({session}: DispatchRequest): Session | undefined {
    return session === undefined ? undefined : this.#known.get(session)
  }

  remember({session, promptTokens}: DispatchRequest, replica: Replica): void {
    if (session === undefined) return
    this.#known.delete(session)
    this.#known.set(session, {replica, promptTokens, epoch: replica.prefixes.epoch})
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#most) break
      this.#known.delete(oldest)
    }
  }
}

/** Whose requests are best kept together: a conversation's, else a key's. */
export function stickTo({session, tenant}: DispatchRequest): string | undefined {
  return session ?? (tenant === '' ? undefined : tenant)
}
