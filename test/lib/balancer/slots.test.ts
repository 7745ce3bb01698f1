import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {Slots} from '../../../src/lib/balancer/slots.ts'
import {Chance, Clock} from '../../../src/lib/simulator/clock.ts'

interface Simulated {
  readonly slots: number
  readonly crowding: number
  readonly serviceMs: number
  /** False: it tells no durations, as in OpenAI's dialect. */
  readonly tells?: boolean
}

/** A node that is given no more at once than `Slots` says, and whose answers teach it. */
class Bench {
  readonly slots = new Slots(64)
  readonly seen: number[] = []
  readonly #clock = new Clock()
  readonly #chance: Chance

  constructor(seed: number) {
    this.#chance = new Chance(seed)
  }

  get nowMs(): number {
    return this.#clock.nowMs
  }

  /**
   * Answers so small that only the gateway and the network are measured: as many connections as that, each sends anew
   * when it has its answer. Now and then one is held up for longer than the whole answer takes, by nobody's fault.
   */
  tiny(connections: number, count: number): void {
    let running = 0
    let sent = 0
    let ended = 0
    const send = () => {
      while (running < Math.min(connections, this.slots.count) && sent < count) {
        sent++
        const atOnce = ++running
        const late = this.#chance.next() < 0.01 ? 20 + 40 * this.#chance.next() : 0
        const tookMs = 0.1 * atOnce + late
        this.#clock.at(this.nowMs + tookMs, () => {
          running--
          ended++
          const run = {atOnce, queueMs: 0.02, totalMs: 0.1, tookMs, work: 17}
          this.slots.learn(run, this.nowMs)
          this.seen.push(this.slots.count)
          send()
        })
      }
    }
    send()
    this.#clock.run(() => ended >= count)
  }

  /** Poisson arrivals at that many times what the node can do, in front of a queue that the gateway keeps. */
  load({slots, crowding, serviceMs, tells = true}: Simulated, share: number, count: number): void {
    const most = slots / (1 + crowding * (slots - 1)) / serviceMs
    const before: number[] = []
    const atNode: Array<() => void> = []
    let given = 0
    let serving = 0
    let ended = 0
    const serve = (begin: () => void) => {
      if (serving < slots) begin()
      else atNode.push(begin)
    }
    const send = () => {
      while (before.length > 0 && given < this.slots.count) {
        before.shift()
        const atOnce = ++given
        const sentMs = this.nowMs
        const work = this.#chance.lengths(100, 0.4)
        serve(() => {
          serving++
          const queueMs = this.nowMs - sentMs
          const slower = 1 + crowding * (Math.min(atOnce, slots) - 1)
          this.#clock.at(this.nowMs + (serviceMs * slower * work) / 100, () => {
            serving--
            given--
            ended++
            const tookMs = this.nowMs - sentMs
            const told = tells ? {queueMs, totalMs: tookMs} : {queueMs: undefined}
            this.slots.learn({...told, atOnce, tookMs, work}, this.nowMs)
            this.seen.push(this.slots.count)
            atNode.shift()?.()
            send()
          })
        })
      }
    }
    let atMs = this.nowMs
    for (let one = 0; one < count; one++) {
      atMs += this.#chance.exponential(1 / (most * share))
      this.#clock.at(atMs, () => {
        before.push(one)
        send()
      })
    }
    this.#clock.run(() => ended >= count)
  }
}

const node = fc.record({
  slots: fc.integer({min: 1, max: 8}),
  crowding: fc.double({min: 0, max: 0.15, noNaN: true}),
  serviceMs: fc.integer({min: 300, max: 5000}),
})

describe('slots that nobody told', () => {
  test('answers of microseconds in which nothing can be told from noise leave no mark on what follows', () => {
    const bench = new Bench(1)
    bench.tiny(32, 20_000)
    expect(bench.slots.count).toBeGreaterThan(10)
    bench.seen.length = 0
    bench.load({slots: 4, crowding: 0, serviceMs: 100}, 0.67, 1000)
    // Not even at the start is it taken for one that answers one after the other.
    expect(bench.seen.slice(100).every((count) => count >= 4 && count <= 5)).toBe(true)
  })

  test('are found whatever answers came before, and two too many are hardly ever tried', () => {
    fc.assert(
      fc.property(node, fc.integer({min: 0, max: 3000}), fc.nat(), (kind, tiny, seed) => {
        const bench = new Bench(seed)
        bench.tiny(32, tiny)
        bench.load(kind, 1.2, 500)
        bench.seen.length = 0
        bench.load(kind, 1.2, 200)
        expect(Math.min(...bench.seen)).toBeGreaterThanOrEqual(kind.slots)
        const tooMany = bench.seen.filter((count) => count > kind.slots + 1)
        expect(tooMany.length).toBeLessThanOrEqual(bench.seen.length / 10)
      }),
      {numRuns: 60},
    )
  })

  test('that were seen to work at once are believed until the model is loaded anew', () => {
    fc.assert(
      fc.property(node, fc.nat(), (kind, seed) => {
        const bench = new Bench(seed)
        bench.load(kind, 1.2, 600)
        // Somebody asks the node directly: what is sent there waits, however little it is.
        for (let atOnce = 1; atOnce <= kind.slots; atOnce++)
          for (let one = 0; one < 3; one++)
            bench.slots.learn({atOnce, queueMs: 900, tookMs: 1000, work: 10}, bench.nowMs)
        expect(bench.slots.count).toBeGreaterThanOrEqual(kind.slots)
        bench.slots.reloaded()
        bench.slots.learn({atOnce: 2, queueMs: 900, tookMs: 1000, work: 10}, bench.nowMs)
        expect(bench.slots.count).toBe(1)
      }),
      {numRuns: 60},
    )
  })

  test('are found again within a minute after a time in which requests waited for somebody else’s', () => {
    const bench = new Bench(7)
    const kind = {slots: 4, crowding: 0.1, serviceMs: 500}
    for (let one = 0; one < 20; one++)
      bench.slots.learn({atOnce: 2, queueMs: 900, tookMs: 1000, work: 10}, bench.nowMs)
    while (bench.slots.count < 4) bench.load(kind, 1.2, 10)
    expect(bench.nowMs).toBeLessThan(60_000)
  })

  test('are found by the throughput alone where the node tells no durations', () => {
    const bench = new Bench(3)
    bench.load({slots: 4, crowding: 0.1, serviceMs: 500, tells: false}, 1.2, 1500)
    expect(bench.slots.count).toBeGreaterThanOrEqual(3)
    expect(bench.slots.count).toBeLessThanOrEqual(8)
  })

  test('may be so many that one more is no measurable gain', () => {
    const bench = new Bench(5)
    bench.load({slots: 32, crowding: 0.01, serviceMs: 1000}, 1.2, 3000)
    expect(bench.slots.count).toBeGreaterThanOrEqual(32)
  })
})
