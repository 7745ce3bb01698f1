import {modelKey} from '../cluster/model-name.ts'
import {type Selection, selectNodes} from '../cluster/select.ts'
import {OllamaxError} from '../errors.ts'
import {chooseNodes, type Place} from '../models/choose-nodes.ts'
import {eachOf} from './each-of.ts'
import {openNodeStore} from './node-store.ts'
import {observe} from './observe.ts'
import {sudoPasswordOf} from './sudo-password.ts'
import type {Tools} from './tools.ts'

export interface ChooseTargetsOptions {
  readonly model: string
  readonly selection: Selection
  /** How many nodes of the selection are to have it; absent: all of them if any is named, otherwise one. */
  readonly replicas?: number | undefined
}

type ChooseTools = Pick<
  Tools,
  'cluster' | 'clusterName' | 'dial' | 'endpoint' | 'signal' | 'ask' | 'env' | 'paths'
>

/** Names of the nodes that are to have a model. NO_CANDIDATE where too few could; errors as `selectNodes`. */
export async function chooseTargets(
  tools: ChooseTools,
  {model, selection, replicas}: ChooseTargetsOptions,
): Promise<string[]> {
  const {nodes} = await tools.cluster()
  const chosen = selectNodes(nodes, selection)
  const named = selection.names.length > 0 || selection.labels.length > 0
  if (chosen.length === 0)
    throw new OllamaxError('NODE_NOT_FOUND', 'the cluster has no nodes', {
      suggestions: ['add one: ollamax node add user@host'],
    })
  if (replicas === undefined && (named || chosen.length === 1))
    return chosen.map((node) => node.name)
  const wanted = replicas ?? 1
  const readings = await observe(tools, chosen, {timeoutMs: 10_000})
  const key = modelKey(model)
  const sudoPassword = sudoPasswordOf(tools, undefined)
  const places = await eachOf(chosen, 16, async (node): Promise<Place[]> => {
    const reading = readings.find((one) => one.node === node.name)
    if (reading?.kind !== 'up') return []
    const has = reading.models.some(({name}) => modelKey(name) === key)
    const place = {node: node.name, has, drained: node.drained}
    if (node.kind !== 'ssh') return [place]
    const {signal} = tools
    const store = await openNodeStore(tools, node, {access: 'read', sudoPassword, signal}).catch(
      () => undefined,
    )
    signal.throwIfAborted()
    const freeBytes = store?.look.freeBytes
    return [freeBytes === undefined ? place : {...place, freeBytes}]
  })
  const names = chooseNodes(places.flat(), wanted)
  if (names) return names
  throw new OllamaxError(
    'NO_CANDIDATE',
    `${wanted} replicas are wanted, and ${places.flat().filter(({has, drained}) => has || !drained).length} of the ${chosen.length} nodes could take one now`,
    {suggestions: ['ask for fewer, or see which are down or drained: ollamax status']},
  )
}
