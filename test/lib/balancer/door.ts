import type {
  BalancedNode,
  DispatcherOptions,
  DispatchRequest,
  DispatchSink,
  Refusal,
} from '../../../src/lib/balancer/dispatch-request.ts'
import {Dispatcher} from '../../../src/lib/balancer/dispatcher.ts'
import type {Failure} from '../../../src/lib/balancer/verdict.ts'
import type {AnswerStats} from '../../../src/lib/cluster/answer-stats.ts'
import type {LoadedModel, ModelTag, Reading} from '../../../src/lib/cluster/reading.ts'

type Sent = Parameters<DispatchSink['send']>[1]

export const tag = (name = 'm:latest', more: Partial<ModelTag> = {}): ModelTag => ({
  ...{name, digest: `digest of ${name}`, sizeBytes: 2e9, modifiedAt: ''},
  ...more,
})
const loaded = (one: ModelTag, contextLength = 4096): LoadedModel => ({
  ...{name: one.name, digest: one.digest, sizeBytes: one.sizeBytes},
  ...{vramBytes: one.sizeBytes, contextLength, expiresAt: ''},
})
export const up = (
  node: string,
  {
    atMs = 0,
    has = [tag()],
    hot = has,
    context = 4096,
  }: {
    readonly atMs?: number
    readonly has?: readonly ModelTag[]
    readonly hot?: readonly ModelTag[]
    readonly context?: number
  } = {},
): Reading => ({
  ...{kind: 'up', node, atMs, latencyMs: 1, models: has},
  loaded: hot.map((one) => loaded(one, context)),
})
export const down = (node: string, atMs: number): Reading => ({
  ...{kind: 'down', node, atMs, code: 'TIMEOUT', message: 'silent'},
})
export const node = (name: string, more: Partial<BalancedNode> = {}): BalancedNode => ({
  ...{name, drained: false, labels: {}, slots: 1},
  ...more,
})
export const ask = (id: number, more: Partial<DispatchRequest> = {}): DispatchRequest => ({
  ...{id, model: 'm', promptTokens: 100, tenant: '', priority: 'normal'},
  ...{prefix: [], blockTokens: 64, canSetNumCtx: true, streams: true},
  ...more,
})
export const stats = (answerMs = 1000, more: AnswerStats = {}): AnswerStats => ({
  ...{totalMs: answerMs + 101, loadMs: 1, promptTokens: 100, promptMs: 100},
  ...{answerTokens: 100, answerMs},
  ...more,
})
export const reply = (status: number, words = 'broken'): Failure => ({kind: 'reply', status, words})

/** A source of chance that is the same each time. */
export const chance = (seed = 1) => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
}

/** A door that keeps what the dispatcher tells it. */
export class Door {
  readonly dispatcher: Dispatcher
  /** Where the requests are that run. */
  readonly running = new Map<number, Sent>()
  readonly sent: Array<readonly [id: number, node: string]> = []
  readonly queued = new Map<number, number>()
  readonly refused = new Map<number, Refusal>()

  constructor(options: Partial<DispatcherOptions> = {}) {
    this.dispatcher = new Dispatcher({
      random: chance(),
      ...options,
      sink: {
        send: (id, to) => {
          this.queued.delete(id)
          this.running.set(id, to)
          this.sent.push([id, to.node])
        },
        queued: (id, {position}) => this.queued.set(id, position),
        refuse: (id, why) => {
          this.queued.delete(id)
          this.running.delete(id)
          this.refused.set(id, why)
        },
      },
    })
  }

  /** Nodes of these names, each with the model in memory. */
  with(...nodes: ReadonlyArray<string | BalancedNode>): this {
    const specs = nodes.map((one) => (typeof one === 'string' ? node(one) : one))
    this.dispatcher.setNodes(specs, 0)
    for (const {name} of specs) this.dispatcher.observe(up(name), 0)
    return this
  }

  submit(request: DispatchRequest, nowMs: number): string | undefined {
    this.dispatcher.submit(request, nowMs)
    return this.nodeOf(request.id)
  }

  ok(id: number, nowMs: number, told: AnswerStats = stats()): void {
    this.running.delete(id)
    this.dispatcher.settle(id, {kind: 'ok', stats: told}, nowMs)
  }

  fail(id: number, failure: Failure, nowMs: number, begun = false): void {
    this.running.delete(id)
    this.dispatcher.settle(id, {kind: 'failed', failure, begun}, nowMs)
  }

  nodeOf(id: number): string | undefined {
    return this.running.get(id)?.node
  }
}
