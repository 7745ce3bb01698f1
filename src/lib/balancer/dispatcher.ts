import {sameModel} from '../cluster/model-name.ts'
import type {Reading} from '../cluster/reading.ts'
import type {
  BalancedNode,
  Decision,
  DispatchRequest,
  DispatchSink,
  Outcome,
} from './dispatch-request.ts'
import type {PolicyName} from './policies.ts'
import {judge} from './verdict.ts'

// TEMPORARY scratch: replaced by the real one
export class Dispatcher {
  s: DispatchSink
  nodes: readonly BalancedNode[] = []
  readings = new Map<string, Reading>()
  flight = new Map<string, number>()
  reqs = new Map<number, {r: DispatchRequest; tried: string[]; node?: string}>()
  constructor(o: {
    readonly sink: DispatchSink
    readonly random: () => number
    readonly policy?: PolicyName
  }) {
    this.s = o.sink
  }
  setNodes(n: readonly BalancedNode[], _: number) {
    this.nodes = n
  }
  setPolicy(_: PolicyName) {}
  observe(r: Reading, _: number) {
    this.readings.set(r.node, r)
  }
  tick(_: number) {}
  began(_: number, __: number) {}
  explain(): Decision {
    return {policy: 'expected-time', reason: '', ranked: [], excluded: []}
  }
  submit(r: DispatchRequest, _: number) {
    this.reqs.set(r.id, {r, tried: []})
    this.go(r.id)
  }
  go(id: number, last?: Outcome) {
    const q = this.reqs.get(id)
    if (!q) return
    const c = this.nodes.filter((n) => {
      const x = this.readings.get(n.name)
      return (
        !n.drained &&
        !q.tried.includes(n.name) &&
        x?.kind === 'up' &&
        x.models.some((m) => sameModel(m.name, q.r.model))
      )
    })
    c.sort((a, b) => (this.flight.get(a.name) ?? 0) - (this.flight.get(b.name) ?? 0))
    const n = c[0]
    if (!n) {
      this.reqs.delete(id)
      if (last?.kind === 'failed')
        this.s.refuse(
          id,
          {
            kind: 'failed',
            failure: last.failure,
            verdict: judge(last.failure),
            node: q.tried.at(-1) ?? '',
          },
          [],
        )
      else
        this.s.refuse(
          id,
          [...this.readings.values()].some((x) => x.kind === 'up')
            ? {kind: 'missing'}
            : {kind: 'no-node', retryAfterMs: 1000},
          [],
        )
      return
    }
    q.tried.push(n.name)
    q.node = n.name
    this.flight.set(n.name, (this.flight.get(n.name) ?? 0) + 1)
    this.s.send(id, {
      node: n.name,
      attempt: q.tried.length,
      decision: {policy: 'expected-time', reason: 'scratch', ranked: [], excluded: []},
      patience: {firstByteMs: 60000, gapMs: 30000},
    })
  }
  settle(id: number, o: Outcome, _: number) {
    const q = this.reqs.get(id)
    if (!q?.node) return
    this.flight.set(q.node, (this.flight.get(q.node) ?? 1) - 1)
    if (o.kind === 'failed' && !o.begun) {
      const v = judge(o.failure)
      if (v === 'caller') {
        this.reqs.delete(id)
        this.s.refuse(id, {kind: 'failed', failure: o.failure, verdict: v, node: q.node}, [])
      } else this.go(id, o)
    } else this.reqs.delete(id)
  }
  cancel(id: number, _: number) {
    const q = this.reqs.get(id)
    if (q?.node) this.flight.set(q.node, (this.flight.get(q.node) ?? 1) - 1)
    this.reqs.delete(id)
  }
}
