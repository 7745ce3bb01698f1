import {modelKey, sameModel} from '../cluster/model-name.ts'
import type {LoadedModel, ModelTag, Reading} from '../cluster/reading.ts'
import {excludedAs} from './excluded.ts'
import type {Rate, Rates} from './rates.ts'

/** What is to be answered, as far as it bears on the choice of a node. */
export interface BalanceRequest {
  readonly model: string
  /** Estimated from the prompt's length. */
  readonly promptTokens: number
  /** Upper bound given by the caller (`num_predict`). */
  readonly maxAnswerTokens?: number
  /** Context asked for; absent: as the node has it. */
  readonly numCtx?: number
  /** What the model must be able to do, as `/api/tags` calls it: `embedding`, `vision`... */
  readonly needs?: string
  /** The beginning of the prompt that a node has evaluated before, as in a conversation. */
  readonly cached?: {readonly node: string; readonly promptTokens: number}
}

/** One node, with all that is known about it now. */
export interface NodeView {
  readonly name: string
  readonly drained: boolean
  /** Absent: it has not answered yet. */
  readonly reading?: Reading | undefined
  /** Requests of all processes of this machine that it is working on. */
  readonly inFlight: number
  /** When a request was last given to it, ms since the epoch; 0 = never. */
  readonly lastUsedMs: number
}

/**
 * `loaded`: in memory. `loading`: a request of ours has made the node load it. `reload`: in memory, with another
 * context. `cold`: on disk only, as a model seems to be that somebody else has the node load.
 */
export type Residency = 'loaded' | 'loading' | 'reload' | 'cold'

/** A replica that can take the request. */
export interface Candidate {
  readonly node: string
  readonly latencyMs: number
  readonly inFlight: number
  readonly lastUsedMs: number
  readonly residency: Residency
  /** Bytes of the model on disk. */
  readonly sizeBytes: number
  /** True: in GPU memory for the most part; undefined: not known. */
  readonly gpu: boolean | undefined
  /** Learned of this model on this node. */
  readonly own: Rate | undefined
  /** Learned of this model on the other nodes, as a mean. */
  readonly others: Partial<Rate>
  /** Learned of other models on this node: bytes loaded per ms. */
  readonly loadBytesPerMs: number | undefined
  /** Time until a slot is free, where each request in flight is known; absent: estimated from their number. */
  readonly waitMs?: number
  /** What is left of a load that is under way, or the time until it may begin: one node loads one model at a time. */
  readonly loadWaitMs?: number
  /** Cost to others of what this load would push out of the memory. */
  readonly harmMs?: number
  /** Requests of the same model that run there make everything take this many times as long. Default 1. */
  readonly slower?: number
  /** Mean of what those still need. */
  readonly batchMs?: number
  /** Other models that compute there now: they share the hardware with ours. */
  readonly beside?: number
  /** What those still need, together. */
  readonly besideMs?: number
  /** Tokens of the prompt that it has evaluated before; absent: as the request says. */
  readonly cachedTokens?: number
  /** Tokens of this model's answers on all nodes: their length does not depend on who writes them. */
  readonly answerTokens?: number | undefined
  /** True: it has failed of late, and somebody has to try whether it still does. */
  readonly onTrial?: boolean
  /** For the policy `weighted`. Default 1. */
  readonly weight?: number
  /** For the policy `tiers`: lower first. Default 0. */
  readonly tier?: number
}

/** A node that cannot take the request, and why. */
export interface Excluded {
  readonly node: string
  readonly reason:
    | 'drained'
    | 'down'
    | 'silent'
    | 'no-model'
    | 'unable'
    /** This request was given to it before. */
    | 'tried'
    /** It failed of late; it is asked again when the time has come. */
    | 'broken'
    /** It could not load the model. */
    | 'banned'
    /** It said that it has enough to do. */
    | 'busy'
    /** Another node was asked for. */
    | 'other'
  readonly text: string
}

/** Parts the nodes into those that can take the request and those that cannot. */
export function candidatesFor(
  request: BalanceRequest,
  nodes: readonly NodeView[],
  rates: Rates,
): {readonly candidates: readonly Candidate[]; readonly excluded: readonly Excluded[]} {
  const candidates: Candidate[] = []
  const excluded: Excluded[] = []
  const tags = () => nodes.flatMap((node) => tagIn(request, node) ?? [])
  const needs = request.needs && seriousNeeds(request.needs, tags())
  const asked = {...request, needs}
  for (const node of nodes) {
    const found = consider(asked, node, rates)
    if ('reason' in found) excluded.push(found)
    else candidates.push(found)
  }
  return {candidates, excluded}
}

/** True if the model does it there, or its node does not tell: old versions of Ollama do not. */
export function does({capabilities}: ModelTag, needs: string): boolean {
  return capabilities?.includes(needs) ?? true
}

/**
 * What the request needs, if any list says that it is done anywhere. Where none does, the lists decide nothing:
 * Ollama 0.33 lists some embedding models as others, and its own refusal says more than ours.
 */
export function seriousNeeds(needs: string, tags: readonly ModelTag[]): string | undefined {
  return tags.some((tag) => does(tag, needs)) ? needs : undefined
}

function tagIn({model}: Pick<BalanceRequest, 'model'>, {reading}: NodeView): ModelTag | undefined {
  if (reading?.kind !== 'up') return undefined
  return reading.models.find(({name}) => sameModel(name, model))
}

type Asked = Omit<BalanceRequest, 'needs'> & {readonly needs: string | undefined}

function consider(request: Asked, node: NodeView, rates: Rates): Candidate | Excluded {
  const {name, reading, inFlight, lastUsedMs} = node
  if (node.drained) return excludedAs('drained', node)
  if (!reading) return excludedAs('silent', node)
  if (reading.kind === 'down') return excludedAs('down', node)
  const tag = tagIn(request, node)
  if (!tag) return excludedAs('no-model', node)
  const {needs} = request
  if (needs && !does(tag, needs))
    return {node: name, reason: 'unable', text: `${tag.name} there does not do ${needs}`}
  const loaded = reading.loaded.find((model) => isOf(model, tag))
  const key = modelKey(request.model)
  return {
    node: name,
    latencyMs: reading.latencyMs,
    inFlight,
    lastUsedMs,
    residency: residencyOf(loaded, request.numCtx),
    sizeBytes: tag.sizeBytes,
    gpu: gpuOf(loaded ? [loaded] : reading.loaded),
    own: rates[name]?.[key],
    others: meanOfOthers(rates, name, key),
    loadBytesPerMs: loadRate(rates[name] ?? {}, reading.models),
  }
}

/**
 * By name or by digest: a loaded model stands under the name that loaded it. An alias with a manifest
 * of its own cannot be seen here and counts as cold; the answer then comes sooner than expected.
 */
function isOf(loaded: LoadedModel, tag: ModelTag): boolean {
  return sameModel(loaded.name, tag.name) || (tag.digest !== '' && loaded.digest === tag.digest)
}

function residencyOf(loaded: LoadedModel | undefined, numCtx: number | undefined): Residency {
  if (!loaded) return 'cold'
  const differs =
    numCtx !== undefined && loaded.contextLength !== undefined && loaded.contextLength !== numCtx
  return differs ? 'reload' : 'loaded'
}

function gpuOf(loaded: readonly LoadedModel[]): boolean | undefined {
  const sized = loaded.filter((model) => model.sizeBytes > 0)
  if (sized.length === 0) return undefined
  return sized.some((model) => model.vramBytes > model.sizeBytes / 2)
}

function meanOfOthers(rates: Rates, node: string, key: string): Partial<Rate> {
  const known = Object.entries(rates)
    .filter(([name]) => name !== node)
    .map(([, models]) => models[key])
  const mean = (field: 'promptTps' | 'answerTps' | 'answerTokens' | 'loadMs' | 'serviceMs') => {
    const values = known.map((rate) => rate?.[field]).filter((value) => value !== undefined)
    if (values.length === 0) return {}
    return {[field]: values.reduce((sum, value) => sum + value, 0) / values.length}
  }
  return {
    ...mean('promptTps'),
    ...mean('answerTps'),
    ...mean('answerTokens'),
    ...mean('loadMs'),
    ...mean('serviceMs'),
  }
}

function loadRate(
  learned: Readonly<Record<string, Rate>>,
  models: readonly ModelTag[],
): number | undefined {
  let bytes = 0
  let ms = 0
  for (const model of models) {
    const loadMs = learned[modelKey(model.name)]?.loadMs
    if (loadMs === undefined) continue
    bytes += model.sizeBytes
    ms += loadMs
  }
  return ms > 0 && bytes > 0 ? bytes / ms : undefined
}
