import type {BalanceRequest} from '../balancer/candidates.ts'
import type {DispatchRequest} from '../balancer/dispatch-request.ts'
import {POLICY_NAMES} from '../balancer/policies.ts'
import type {Aliases} from '../cluster/alias.ts'
import {PRIORITIES, type Priority, priorityRank} from '../cluster/priority.ts'
import {withModel} from './body/changed.ts'
import {type Facts, type FactsOptions, readFacts} from './body/facts.ts'
import {BLOCK_TOKENS} from './body/prefix.ts'
import type {Problem} from './dialects/problem.ts'
import type {Exchange} from './exchange.ts'
import type {Admitted} from './guard.ts'
import type {Route} from './route.ts'

type Inference = Extract<Route, {kind: 'inference'}>

/** Why such a request is not even tried; undefined: it may be. */
export function refusalOf(
  facts: Facts,
  admitted: Admitted,
  {allowCloud}: {readonly allowCloud: boolean},
): Problem | undefined {
  const {model} = facts
  if (!model) return {status: 400, message: 'model is required'}
  if (!admitted.mayUse(model))
    return {status: 403, message: `this key may not use model '${model}'`}
  if (!allowCloud && CLOUD.test(model))
    return {
      status: 403,
      message: `model '${model}' would be answered by Ollama's cloud, not by a node of this fleet`,
    }
  return undefined
}

/** A body and what is to be known of it, once it names the model that it means instead of an alias. */
export function understood(
  given: Buffer,
  options: FactsOptions,
  aliases: Aliases,
): {readonly body: Buffer; readonly facts: Facts} {
  const facts = readFacts(given, options)
  const model = aliases.resolve(facts.model)
  if (model === facts.model) return {body: given, facts}
  const body = withModel(given, facts.fields, model)
  return {body, facts: readFacts(body, options)}
}

/** Names that make a node pass the request on to ollama.com. */
const CLOUD = /[:-]cloud$/i

/** The request as the dispatcher takes it: the body's facts, the headers' wishes, the key's rights. */
export function dispatchOf(
  {id, requestId, request}: Exchange,
  of: {
    readonly route: Inference
    readonly facts: Facts
    readonly admitted: Admitted
    readonly prefix: readonly number[]
  },
): DispatchRequest {
  const {facts, admitted, route} = of
  const session = headerOf(request.header('x-ollamax-session'))
  const only = headerOf(request.header('x-ollamax-node'))
  const policy = POLICY_NAMES.find((name) => name === request.header('x-ollamax-policy'))
  const asked: BalanceRequest = {
    model: facts.model,
    promptTokens: facts.promptTokens,
    ...(facts.maxAnswerTokens === undefined ? {} : {maxAnswerTokens: facts.maxAnswerTokens}),
    ...(facts.numCtx === undefined ? {} : {numCtx: facts.numCtx}),
    ...(route.call === 'embed' ? {needs: 'embedding'} : {}),
  }
  return {
    ...asked,
    id,
    requestId,
    tenant: admitted.tenant,
    weight: admitted.weight,
    priority: priorityOf(headerOf(request.header('x-ollamax-priority')), admitted.priority),
    prefix: of.prefix,
    blockTokens: BLOCK_TOKENS,
    streams: facts.stream,
    canSetNumCtx: route.dialect === 'ollama',
    mayHedge: mayHedge(facts, route),
    ...(session === undefined ? {} : {session}),
    ...(only === undefined ? {} : {only}),
    ...(policy === undefined ? {} : {policy}),
  }
}

/**
 * An answer that comes whole tells nothing before its end; a load is what an empty request wants; and a response of
 * OpenAI's may be kept where it was made.
 */
function mayHedge({stream, empty}: Facts, {call}: Inference): boolean {
  return call !== 'responses' && !empty && (stream || call === 'embed')
}

/** A client may ask for less than its key gives, never for more. */
function priorityOf(asked: string | undefined, given: Priority): Priority {
  const known = PRIORITIES.find((priority) => priority === asked)
  return known && priorityRank(known) >= priorityRank(given) ? known : given
}

/** A header that stands there once and is not too long. */
export function headerOf(value: string | undefined): string | undefined {
  return value !== undefined && value !== '' && value.length <= 256 ? value : undefined
}
