import type {Exchange} from './exchange.ts'

/**
 * Ends, after that time, answers that their clients do not take: they would hold a slot of a node, or what is left
 * of an answer, for ever. Stalled is what waits for the client and has got nothing new since.
 */
export function watchStalls(running: Iterable<Exchange>, stallMs: number): {close(): void} {
  const stalled = new WeakMap<Exchange, {readonly bytesOut: number; readonly sinceMs: number}>()
  const look = () => {
    const nowMs = performance.now()
    for (const exchange of running) {
      const {response, bytesOut} = exchange
      const known = stalled.get(exchange)
      if (!response.writableEnded && !response.writableNeedDrain) stalled.delete(exchange)
      else if (known?.bytesOut !== bytesOut) stalled.set(exchange, {bytesOut, sinceMs: nowMs})
      else if (nowMs - known.sinceMs > stallMs) response.destroy()
    }
  }
  const timer = setInterval(look, stallMs / 4)
  return {close: () => clearInterval(timer)}
}
