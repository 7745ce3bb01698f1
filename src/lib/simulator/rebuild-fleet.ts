import type {BalancedNode} from '../balancer/dispatch-request.ts'
import type {Rate} from '../balancer/rates.ts'
import {modelKey} from '../cluster/model-name.ts'
import type {RecordedNode, RecordedReplica, RecordedRequest} from '../cluster/recording.ts'
import type {ModelSpeed, NodeKind} from './ollama-node.ts'

/** Of a model whose prompts were never measured: what one is to the other as a rule. */
const PROMPT_FACTOR = 10
/** A cold read from a common SSD. */
const LOAD_BYTES_PER_MS = 1e6
const CONTEXT_LENGTH = 4096

/** A speed that nobody has measured there: what stands for it is the mean of the other nodes, or a rule of thumb. */
export interface Unknown {
  readonly node: string
  readonly model: string
  readonly what: ReadonlyArray<'prompt' | 'answer' | 'load'>
}

export interface RebuiltNode {
  readonly spec: BalancedNode
  readonly kind: NodeKind
  /** Only what was really learned, by model key. */
  readonly rates: Readonly<Record<string, Rate>>
  readonly unknown: readonly Unknown[]
}

/** Simulated nodes that are as the recorded ones had shown themselves. Models of which no node has shown a speed are left out. */
export function rebuildFleet(nodes: readonly RecordedNode[]): RebuiltNode[] {
  const all = nodes.flatMap(({replicas}) => replicas)
  const means = new Map(all.map(({model}) => [model, meanOf(all, model)]))
  return nodes.map((node) => {
    const known = node.replicas.flatMap((replica) => {
      const mean = means.get(replica.model)
      return mean ? [{replica, ...speedOf(replica, mean)}] : []
    })
    const largest = Math.max(0, ...known.map(({replica}) => replica.sizeBytes))
    const full = node.tooMuchBytes === undefined ? Number.POSITIVE_INFINITY : node.fitsBytes
    const {weight, tier} = node
    const given = node.replicas.find(({slotsGiven}) => slotsGiven)?.slots
    return {
      spec: {
        ...{name: node.node, drained: node.drained, labels: {}},
        ...(given === undefined ? {} : {slots: given}),
        ...(weight === undefined ? {} : {weight}),
        ...(tier === undefined ? {} : {tier}),
      },
      kind: {
        ...{promptTps: 1, answerTps: 1, slots: 1, crowding: 0, loadBytesPerMs: LOAD_BYTES_PER_MS},
        ...{memoryBytes: Math.max(full, largest), mostLoaded: node.mostLoaded},
        latencyMs: node.latencyMs,
        speeds: new Map(known.map(({replica, speed}) => [replica.model, speed])),
      },
      rates: Object.fromEntries(
        known.map(({replica}) => [modelKey(replica.model), rateOf(replica)]),
      ),
      unknown: known
        .filter(({what}) => what.length > 0)
        .map(({replica, what}) => ({node: node.node, model: replica.model, what})),
    }
  })
}

/**
 * The models in a node's memory when the first request came: of those that were asked there as the reason of the first
 * answer tells, of the others as it was when the recording was taken.
 */
export function loadedAtFirst(
  {node, replicas}: RecordedNode,
  requests: readonly RecordedRequest[],
): string[] {
  return replicas.flatMap(({model, loaded}) => {
    const first = requests.find((one) => one.node === node && one.model === model && one.reason)
    const warm = first ? /^(warm|prefix)/.test(first.reason ?? '') : loaded
    return warm ? [model] : []
  })
}

type Speeds = Pick<RecordedReplica, 'promptTps' | 'answerTps' | 'loadMs'>

/** What the nodes have shown of a model; undefined: no node has shown how fast it is. */
function meanOf(all: readonly RecordedReplica[], model: string): Speeds | undefined {
  const mean = (field: keyof Speeds) => {
    const values = all.flatMap((one) => (one.model === model ? (one[field] ?? []) : []))
    const sum = values.reduce((total, value) => total + value, 0)
    return values.length > 0 ? {[field]: sum / values.length} : {}
  }
  const speeds: Speeds = {...mean('promptTps'), ...mean('answerTps'), ...mean('loadMs')}
  return speeds.promptTps === undefined && speeds.answerTps === undefined ? undefined : speeds
}

function speedOf(
  replica: RecordedReplica,
  mean: Speeds,
): {readonly speed: ModelSpeed; readonly what: Unknown['what']} {
  // A model that only embeds writes no answers.
  const answers = mean.answerTps !== undefined
  const answerTps = replica.answerTps ?? mean.answerTps ?? 1
  const what: Array<'prompt' | 'answer' | 'load'> = []
  if (replica.promptTps === undefined) what.push('prompt')
  if (answers && replica.answerTps === undefined) what.push('answer')
  if (replica.loadMs === undefined) what.push('load')
  return {
    what,
    speed: {
      ...{answerTps, slots: replica.slots, crowding: replica.crowding},
      promptTps: replica.promptTps ?? mean.promptTps ?? answerTps * PROMPT_FACTOR,
      loadMs: replica.loadMs ?? mean.loadMs ?? replica.sizeBytes / LOAD_BYTES_PER_MS,
      contextLength: replica.contextLength ?? CONTEXT_LENGTH,
    },
  }
}

function rateOf({promptTps, answerTps, answerTokens, loadMs, serviceMs}: RecordedReplica): Rate {
  return {
    atMs: 0,
    ...(promptTps === undefined ? {} : {promptTps}),
    ...(answerTps === undefined ? {} : {answerTps}),
    ...(answerTokens === undefined ? {} : {answerTokens}),
    ...(loadMs === undefined ? {} : {loadMs}),
    ...(serviceMs === undefined ? {} : {serviceMs}),
  }
}
