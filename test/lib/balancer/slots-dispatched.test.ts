import {expect, test} from 'vitest'
import type {BalancedNode} from '../../../src/lib/balancer/dispatch-request.ts'
import {Chance, Clock} from '../../../src/lib/simulator/clock.ts'
import {ask, Door, node} from './door.ts'

const NODES: Readonly<Record<string, number>> = {a: 1, b: 1, c: 4}
const SLOTS = 4

/** Nodes of speed 1, 1 and 1/4 with four slots each, of which nobody has told. */
class Bench {
  readonly door = new Door().with(
    ...Object.keys(NODES).map((name): BalancedNode => {
      const {slots: _, ...bare} = node(name)
      return bare
    }),
  )
  readonly clock = new Clock()
  readonly chance: Chance
  readonly times: number[] = []
  readonly #came = new Map<number, number>()
  readonly #busy = new Map<string, number>()
  readonly #waiting = new Map<string, Array<() => void>>()
  #next = 1
  #seen = 0
  #ticking = false

  constructor(seed: number) {
    this.chance = new Chance(seed)
  }

  /** `serviceMs` 0: an answer of microseconds, which the gateway delivers when it gets to it. */
  submit(serviceMs: number): void {
    const id = this.#next++
    this.#came.set(id, this.clock.nowMs)
    this.door.submit(ask(id, {promptTokens: 20}), this.clock.nowMs)
    this.#give(serviceMs)
  }

  #give(serviceMs: number): void {
    const {door, clock} = this
    for (; this.#seen < door.sent.length; this.#seen++) {
      const [id, name] = door.sent[this.#seen] ?? [0, '']
      const sentMs = clock.nowMs
      const takesMs = serviceMs * (NODES[name] ?? 1)
      const there = [...door.running.values()].filter((to) => to.node === name).length
      if (takesMs === 0) this.#deliver(id, 0.1 * there, {serviceMs, totalMs: 0.1})
      else
        this.#serve(name, () =>
          clock.at(clock.nowMs + takesMs + this.#stall(), () => {
            this.#leave(name)
            this.#deliver(id, 0, {serviceMs, totalMs: clock.nowMs - sentMs, takesMs})
          }),
        )
    }
    if (this.#ticking || door.dispatcher.nextTickMs(clock.nowMs) === undefined) return
    this.#ticking = true
    clock.at(clock.nowMs + 100, () => {
      this.#ticking = false
      door.dispatcher.tick(clock.nowMs)
      this.#give(serviceMs)
    })
  }

  #deliver(
    id: number,
    inMs: number,
    {serviceMs, totalMs, takesMs = 0.08}: {serviceMs: number; totalMs: number; takesMs?: number},
  ): void {
    const lateMs = this.#stall()
    this.clock.at(this.clock.nowMs + inMs + lateMs, () => {
      const spent = {promptMs: takesMs / 4, answerMs: (takesMs * 3) / 4}
      const told = {totalMs, loadMs: 0.001, promptTokens: 20, answerTokens: 16, ...spent}
      this.times.push(this.clock.nowMs - (this.#came.get(id) ?? 0))
      this.door.ok(id, this.clock.nowMs, told)
      if (serviceMs === 0 && this.#next < 6000) this.submit(0)
      this.#give(serviceMs)
    })
  }

  #serve(name: string, begin: () => void): void {
    const busy = this.#busy.get(name) ?? 0
    if (busy >= SLOTS) {
      this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), begin])
      return
    }
    this.#busy.set(name, busy + 1)
    begin()
  }

  /** Now and then the machine has other things to do. */
  #stall(): number {
    return this.chance.next() < 0.05 ? 50 * this.chance.next() : 0
  }

  #leave(name: string): void {
    const next = this.#waiting.get(name)?.shift()
    if (next) next()
    else this.#busy.set(name, (this.#busy.get(name) ?? 1) - 1)
  }
}

test.each([1, 2, 3, 4, 5])(
  'two thirds of what all slots can do is served at once, whatever tiny answers came before (seed %d)',
  (seed) => {
    const bench = new Bench(seed)
    for (let one = 0; one < 32; one++) bench.submit(0)
    bench.clock.run(() => bench.times.length >= 6000)
    bench.times.length = 0
    let atMs = bench.clock.nowMs + 1000
    for (let one = 0; one < 900; one++) {
      atMs += bench.chance.exponential(1000 / 60)
      bench.clock.at(atMs, () => bench.submit(100))
    }
    bench.clock.run(() => bench.times.length >= 900)
    const sorted = bench.times.toSorted((a, b) => a - b)
    expect(sorted[450]).toBeLessThan(200)
    expect(sorted[855]).toBeLessThan(1500)
  },
)
