import type {Blob} from './manifest.ts'
import {sendDirect} from './send-direct.ts'
import type {Store} from './store.ts'
import {BROKE_OFF} from './store-blobs.ts'

/** A store that is to be filled. */
export interface ChainTarget {
  readonly store: Store
  /** What it lacks. */
  readonly blobs: readonly Blob[]
}

/** How it ended for one of them. */
export type ChainEnd =
  | {readonly kind: 'there'}
  /** No host reaches it: it is to be filled another way. */
  | {readonly kind: 'no-way'; readonly why: string}
  | {readonly kind: 'failed'; readonly error: unknown}

export interface ChainOptions {
  /** Bytes of a file that are at a target, from time to time. */
  readonly onBytes: (target: ChainTarget, blob: Blob, there: number) => void
  readonly signal: AbortSignal
}

/** A connection that broke is tried again so often. */
const TRIES = 3

/**
 * Fills stores host to host: the source sends to the first of them, which passes on to the second what has come so far,
 * and so on. So each host sends and receives once, and many take hardly longer than one. Whoever is behind one that
 * fails is given its bytes by the one before that. Rejects only if the signal aborts.
 */
export async function sendChain(
  blobs: readonly Blob[],
  {source, targets}: {readonly source: Store; readonly targets: readonly ChainTarget[]},
  options: ChainOptions,
): Promise<ChainEnd[]> {
  const links = targets.map((target) => new Link(target, blobs))
  return Promise.all(
    links.map((link, at) => link.fill({source, before: links.slice(0, at)}, options)),
  )
}

/** One target, and how far it has come. */
class Link {
  readonly #target: ChainTarget
  readonly #blobs: readonly Blob[]
  /** Settled once it has the first bytes of a file, or will never have them. */
  readonly #begun: ReadonlyMap<Blob, PromiseWithResolvers<void>>
  /** Aborted when nothing more is to be had from it. */
  readonly #lost = new AbortController()

  constructor(target: ChainTarget, blobs: readonly Blob[]) {
    this.#target = target
    this.#blobs = blobs
    this.#begun = new Map(blobs.map((blob) => [blob, Promise.withResolvers<void>()]))
  }

  async fill(
    from: {readonly source: Store; readonly before: readonly Link[]},
    options: ChainOptions,
  ): Promise<ChainEnd> {
    try {
      for (const blob of this.#blobs) {
        const end = this.#lacks(blob) ? await this.#take(blob, from, options) : THERE
        if (end.kind !== 'there') return this.#giveUp(end)
        this.#begun.get(blob)?.resolve()
      }
      return THERE
    } catch (error) {
      options.signal.throwIfAborted()
      return this.#giveUp({kind: 'failed', error})
    }
  }

  #lacks(blob: Blob): boolean {
    return this.#target.blobs.some(({digest}) => digest === blob.digest)
  }

  #giveUp(end: ChainEnd): ChainEnd {
    this.#lost.abort()
    for (const {resolve} of this.#begun.values()) resolve()
    return end
  }

  async #take(
    blob: Blob,
    {source, before}: {readonly source: Store; readonly before: readonly Link[]},
    options: ChainOptions,
  ): Promise<ChainEnd> {
    const givers = [...before].reverse()
    for (let tries = 0; ; ) {
      const giver = givers[0]
      await giver?.begun(blob)
      options.signal.throwIfAborted()
      if (giver?.lost.aborted) {
        givers.shift()
        continue
      }
      const signal = giver ? AbortSignal.any([options.signal, giver.lost]) : options.signal
      const sending = sendDirect(
        blob,
        {from: giver?.store ?? source, to: this.#target.store},
        {signal, onBytes: (there) => options.onBytes(this.#target, blob, there)},
      )
      this.#begun.get(blob)?.resolve()
      const sent = await sending.catch((error: unknown) => {
        options.signal.throwIfAborted()
        // The one before has failed, and with it this: its bytes come from another.
        if (giver?.lost.aborted) return undefined
        throw error
      })
      if (!sent || (giver && sent.kind === 'no-way')) givers.shift()
      else if (sent.kind !== 'failed') return sent
      else if (sent.code !== BROKE_OFF || ++tries >= TRIES) return sent
    }
  }

  begun(blob: Blob): Promise<void> | undefined {
    return this.#begun.get(blob)?.promise
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  get store(): Store {
    return this.#target.store
  }
}

const THERE: ChainEnd = {kind: 'there'}
