import {PassThrough} from 'node:stream'
import {OllamaxError} from '../errors.ts'
import type {Blob} from './manifest.ts'

/** Where the bytes of a blob come from. */
export interface BlobSource {
  /** Hands out the bytes from `offset` on, one chunk after the other; rejects where they cannot be had. */
  read(
    blob: Blob,
    offset: number,
    to: {readonly take: (chunk: Buffer) => Promise<void> | void; readonly signal: AbortSignal},
  ): Promise<void>
}

/** Where the bytes of a blob go. */
export interface BlobSink {
  /** For messages. */
  readonly name: string
  /** Bytes that are there already, from an earlier try. */
  partOf(blob: Blob): number
  /**
   * Takes the bytes from `offset` on until the stream ends; resolves once they are whole, checked and visible under
   * their digest. Rejects otherwise, and leaves what may be gone on with.
   */
  write(
    blob: Blob,
    offset: number,
    from: {readonly bytes: PassThrough; readonly signal: AbortSignal},
  ): Promise<void>
}

export interface RelayOptions {
  readonly signal: AbortSignal
  /** Bytes that were handed to that sink in this call so far. */
  readonly onBytes: (sink: BlobSink, sent: number) => void
  /** A sink that takes nothing for so long is left behind. Default 60,000. */
  readonly stallMs?: number
}

/** Bytes that may wait for a slow receiver; beyond them the others wait with it. */
const BUFFER_BYTES = 4 * 1024 * 1024
const STALL_MS = 60_000

/** How a sink ended. */
export type RelayEnd =
  | {readonly ok: true; readonly sent: number}
  | {readonly ok: false; readonly sent: number; readonly error: unknown}

/**
 * Reads a blob once and hands it to all sinks at the pace of the slowest. Each gets only what it lacks. One that fails
 * is left behind and the others go on; the call fails only if the source does or the signal aborts.
 */
export async function relayBlob(
  blob: Blob,
  {source, sinks}: {readonly source: BlobSource; readonly sinks: readonly BlobSink[]},
  options: RelayOptions,
): Promise<Map<BlobSink, RelayEnd>> {
  const {signal} = options
  const takers = sinks.map((sink) => new Taker(blob, sink, options))
  let at = Math.min(...takers.map((taker) => taker.offset))
  try {
    const take = (chunk: Buffer) => {
      const from = at
      at += chunk.length
      const waits = takers.flatMap((taker) => taker.take(chunk, from) ?? [])
      if (takers.every((taker) => taker.over)) return Promise.reject(new NobodyLeft())
      return waits.length > 0 ? Promise.all(waits).then(() => {}) : undefined
    }
    if (at < blob.sizeBytes) await source.read(blob, at, {take, signal})
    for (const taker of takers) taker.finish()
  } catch (error) {
    if (!(error instanceof NobodyLeft)) {
      for (const taker of takers) taker.giveUp(error)
      await Promise.all(takers.map((taker) => taker.end))
      options.signal.throwIfAborted()
      throw error
    }
  }
  const ends = await Promise.all(takers.map((taker) => taker.end))
  return new Map(takers.map((taker, i) => [taker.sink, ends[i] as RelayEnd]))
}

/** No sink wants any more: reading on would be for nobody. */
class NobodyLeft extends Error {}

/** One sink, and what is on its way to it. */
class Taker {
  readonly sink: BlobSink
  readonly offset: number
  readonly end: Promise<RelayEnd>
  /** It has failed, or has it already. */
  over = false
  readonly #bytes = new PassThrough({highWaterMark: BUFFER_BYTES})
  readonly #abort = new AbortController()
  readonly #options: RelayOptions
  readonly #stallMs: number
  #sent = 0

  constructor(blob: Blob, sink: BlobSink, options: RelayOptions) {
    this.sink = sink
    this.offset = Math.min(sink.partOf(blob), blob.sizeBytes)
    this.#options = options
    this.#stallMs = options.stallMs ?? STALL_MS
    this.#bytes.on('error', () => {})
    const signal = AbortSignal.any([options.signal, this.#abort.signal])
    const over = () => {
      this.over = true
      this.#bytes.destroy()
    }
    this.end = sink.write(blob, this.offset, {bytes: this.#bytes, signal}).then(
      (): RelayEnd => {
        over()
        return {ok: true, sent: this.#sent}
      },
      (error: unknown): RelayEnd => {
        over()
        return {ok: false, sent: this.#sent, error}
      },
    )
  }

  /** A promise where it wants no more for now. */
  take(chunk: Buffer, from: number): Promise<void> | undefined {
    if (this.over) return undefined
    const lacks = from < this.offset ? chunk.subarray(this.offset - from) : chunk
    if (lacks.length === 0) return undefined
    this.#sent += lacks.length
    this.#options.onBytes(this.sink, this.#sent)
    return this.#bytes.write(lacks) ? undefined : this.#drained()
  }

  finish(): void {
    this.#bytes.end()
  }

  giveUp(error: unknown): void {
    this.#abort.abort(error)
    this.#bytes.destroy(error instanceof Error ? error : new Error('the source broke off'))
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const seconds = Math.round(this.#stallMs / 1000)
      const late = () =>
        this.giveUp(
          new OllamaxError('TIMEOUT', `${this.sink.name} took no more bytes for ${seconds} s`, {
            suggestions: ['look at the network and at the disk there, and run it again'],
          }),
        )
      const timer = setTimeout(late, this.#stallMs)
      const done = () => {
        clearTimeout(timer)
        this.#bytes.removeListener('drain', done)
        resolve()
      }
      this.#bytes.once('drain', done)
      void this.end.then(done)
    })
  }
}
