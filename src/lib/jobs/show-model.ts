import {type FleetModel, fleetModels} from '../cluster/fleet-models.ts'
import {modelKey} from '../cluster/model-name.ts'
import {OllamaxError} from '../errors.ts'
import {show} from '../ollama/client.ts'
import {holdersOf, notFound, type ReadingTools} from './nodes-with-model.ts'

export interface ShowModelOptions {
  readonly model: string
  /** The node whose copy is described; absent: one of those that have what most have. */
  readonly node?: string | undefined
}

/** A model as a node describes it, and where it is. */
export interface ShownModel extends FleetModel {
  /** The node that described it. */
  readonly from: string
  readonly nodes: readonly {
    readonly node: string
    readonly digest: string
    readonly sizeBytes: number
    readonly modifiedAt: string
    readonly loaded: boolean
    /** Of its memory there, how much is the GPU's; only where it is loaded. */
    readonly memoryBytes?: number
    readonly vramBytes?: number
    readonly expiresAt?: string
  }[]
  readonly template: string
  readonly parameters: string
  readonly modelfile: string
  /** As the node tells it, without long lists. */
  readonly info: Readonly<Record<string, string | number | boolean>>
  readonly down: readonly string[]
}

const CALL = {connectTimeoutMs: 10_000, headersTimeoutMs: 30_000, idleTimeoutMs: 30_000}

/** Describes a model of the fleet. MODEL_NOT_FOUND, NODE_NOT_FOUND, NODE_UNREACHABLE. */
export async function showModel(
  tools: ReadingTools,
  {model, node}: ShowModelOptions,
): Promise<ShownModel> {
  const {holders, down} = await holdersOf(tools, model, {names: [], labels: []})
  const having = holders.filter(({tag}) => tag)
  const all = fleetModels(holders.map(({reading}) => reading))
  const found = all.find(({name}) => modelKey(name) === modelKey(model))
  const wanted = node ?? found?.versions[0]?.nodes[0]
  const teller = having.find((holder) => holder.node.name === wanted)
  if (!found || having.length === 0)
    throw notFound(
      model,
      holders.map((holder) => holder.node.name),
    )
  if (!teller)
    throw new OllamaxError('MODEL_NOT_FOUND', `${node} does not have ${model}`, {
      suggestions: [`it is on ${having.map((holder) => holder.node.name).join(', ')}`],
    })
  const call = {...CALL, signal: tools.signal}
  const told = await show(await tools.endpoint(teller.node), teller.tag?.name ?? model, call)
  const {template, parameters, modelfile} = told
  return {
    ...found,
    ...(told.capabilities.length > 0 ? {capabilities: told.capabilities} : {}),
    from: teller.node.name,
    nodes: having.map(({node: {name}, reading, tag, loaded}) => {
      const runner = reading.loaded.find(({digest}) => digest === tag?.digest)
      return {
        node: name,
        digest: tag?.digest ?? '',
        sizeBytes: tag?.sizeBytes ?? 0,
        modifiedAt: tag?.modifiedAt ?? '',
        loaded,
        ...(runner
          ? {
              memoryBytes: runner.sizeBytes,
              vramBytes: runner.vramBytes,
              expiresAt: runner.expiresAt,
            }
          : {}),
      }
    }),
    template,
    parameters,
    modelfile,
    info: plainOf(told.raw.model_info),
    down: down.map((reading) => reading.node),
  }
}

function plainOf(raw: unknown): ShownModel['info'] {
  const entries = Object.entries((raw ?? {}) as Record<string, unknown>)
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string | number | boolean] =>
      ['string', 'number', 'boolean'].includes(typeof entry[1]),
    ),
  )
}
