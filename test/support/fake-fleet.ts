import type {LiveFrame, LiveNode, LiveRequest, LiveTotals} from '../../src/lib/cluster/live.ts'
import type {FleetActions} from '../../src/lib/cluster/live-actions.ts'

/** A moment that tests can count from. */
export const T0 = Date.UTC(2026, 4, 1, 12, 0, 0)
const GIB = 2 ** 30

/** A node that is well and tells everything. */
export function liveNode(name: string, more: Partial<LiveNode> = {}): LiveNode {
  return {
    name,
    kind: 'ssh',
    target: `ops@${name}`,
    labels: {tier: 'fast'},
    drained: false,
    state: 'up',
    readAtMs: T0,
    version: '0.33.0',
    latencyMs: 3,
    inFlight: 2,
    slots: 4,
    tokensPerS: 41.5,
    breaker: 'closed',
    loaded: [
      {
        name: 'llama3.2:latest',
        digest: 'sha256:aaaa0000aaaa0000',
        sizeBytes: 4 * GIB,
        vramBytes: 4 * GIB,
        contextLength: 8192,
        expiresAt: new Date(T0 + 240_000).toISOString(),
      },
    ],
    models: [
      {name: 'llama3.2:latest', digest: 'sha256:aaaa0000aaaa0000', sizeBytes: 2 * GIB},
      {name: 'qwen3:8b', digest: 'sha256:bbbb0000bbbb0000', sizeBytes: 5 * GIB},
    ],
    machine: {
      atMs: T0,
      cores: 16,
      cpuShare: 0.37,
      memory: {totalBytes: 64 * GIB, availableBytes: 40 * GIB},
      disk: {totalBytes: 500 * GIB, freeBytes: 300 * GIB},
      celsius: 61,
      gpus: [
        {
          name: 'RTX 4090',
          vramBytes: {total: 24 * GIB, used: 12 * GIB},
          busyShare: 0.82,
          celsius: 66,
        },
      ],
    },
    ...more,
  }
}

/** A node of which only its name is known. */
export const unreadNode = (name: string): LiveNode => ({
  name,
  kind: 'direct',
  target: `http://${name}:11434`,
  labels: {},
  drained: false,
  state: 'unread',
  inFlight: 0,
  loaded: [],
  models: [],
})

export function liveRequest(id: string, more: Partial<LiveRequest> = {}): LiveRequest {
  return {
    id,
    atMs: T0 - 3000,
    route: '/api/chat',
    model: 'llama3.2:latest',
    node: 'gpu-1',
    state: 'running',
    attempts: 1,
    queueMs: 12,
    firstByteMs: 180,
    answerTokens: 64,
    reason: 'loaded and free',
    ...more,
  }
}

export const totalsAt = (atMs: number, more: Partial<LiveTotals> = {}): LiveTotals => ({
  atMs,
  tokensPerS: 123.4,
  requestsPerS: 5.1,
  errorsPerS: 0,
  inFlight: 7,
  waiting: 2,
  firstTokenMs: {p50: 180, p95: 1200},
  ...more,
})

/** A frame that says all: of these nodes, in this order. */
export function wholeFrame(nodes: readonly LiveNode[], more: Partial<LiveFrame> = {}): LiveFrame {
  return {
    atMs: T0,
    whole: true,
    order: nodes.map(({name}) => name),
    nodes,
    requests: [],
    events: [],
    totals: totalsAt(T0),
    ...more,
  }
}

/** Actions that note what was asked of them and do nothing. */
export function notedActions(overrides: Partial<FleetActions> = {}) {
  const asked: string[] = []
  const note = (text: string) => void asked.push(text)
  const actions: FleetActions = {
    async drain(node) {
      note(`drain ${node}`)
      return {changed: true}
    },
    async undrain(node) {
      note(`undrain ${node}`)
      return {changed: true}
    },
    async restart(node) {
      note(`restart ${node}`)
      return {version: '0.33.0'}
    },
    async pull(node, model) {
      note(`pull ${model} to ${node}`)
    },
    async cancel(request) {
      note(`cancel ${request}`)
    },
    async decision(request) {
      note(`decision ${request}`)
      return {request: liveRequest(request)}
    },
    async followLogs(node, onText, signal) {
      note(`logs ${node}`)
      onText('Listening on 127.0.0.1:11434\n')
      await new Promise((resolve) => signal.addEventListener('abort', resolve, {once: true}))
      note(`no more logs ${node}`)
    },
    ...overrides,
  }
  return {actions, asked}
}
