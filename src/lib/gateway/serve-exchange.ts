import {modelKey} from '../cluster/model-name.ts'
import type {Upstream} from '../ollama/upstream.ts'
import {dispatchOf, headerOf, refusalOf, understood} from './asked.ts'
import type {Facts} from './body/facts.ts'
import {BadBody, parseObject} from './body/parse.ts'
import {type BodyLimits, ClientGone, readBody, SlowBody, TooLarge, takeBody} from './body/read.ts'
import type {Exchange} from './exchange.ts'
import type {Admitted, Guard, Refused} from './guard.ts'
import {forwardedHeaders} from './headers.ts'
import type {Hub} from './hub.ts'
import {type Inside, type InsideFloor, inside, isInside} from './inside.ts'
import type {Job} from './job.ts'
import {modelsOf, oldestVersion, psOf, tagsOf} from './lists.ts'
import {type Blobs, blob, type ManageContext, manage, unload} from './manage.ts'
import {models} from './models.ts'
import {canBeAsked} from './places.ts'
import type {Page, Route} from './route.ts'
import {Thread} from './thread.ts'

/** What every request is served with. */
export interface Floor extends InsideFloor {
  readonly guard: Guard
  readonly hub: Hub
  readonly blobs: Blobs
  /** The registry of models behind /v2; absent: there is none. */
  readonly registry?: Upstream | undefined
  readonly limits: BodyLimits
  /** Models that a node would pass on to Ollama's cloud are let through. */
  readonly allowCloud: boolean
  /** The exposition for Prometheus. */
  readonly metrics: () => Promise<{readonly type: string; readonly text: string}>
  /** Called once for each exchange that was no inference, when it has ended. */
  readonly ended: (exchange: Exchange) => void
  /** A bug of ours: the client gets a 500, the operator the stack. */
  readonly bug: (error: unknown, exchange: Exchange) => void
}

/** A list that is not quite new waits so long for nodes to tell theirs. */
const LIST_MS = 250

/** What clients are told when the gateway ends. */
export const SHUT_DOWN = {
  unbegun: {status: 503, message: 'the gateway is shutting down', retryAfterMs: 2000},
  begun: {status: 503, message: 'the gateway was shut down in the middle of the answer'},
} as const

type Inference = Extract<Route, {kind: 'inference'}>

/** Answers one exchange; all ways of going wrong end in an answer, or a closed connection. */
export function serveExchange(
  exchange: Exchange,
  admitted: Admitted | Refused,
  floor: Floor,
  state: {readonly draining: boolean},
): void {
  const {route} = exchange
  const health = route.kind === 'own' && (route.page === 'healthz' || route.page === 'readyz')
  if (route.kind === 'inference' && admitted.kind === 'admitted' && !state.draining) {
    infer(exchange, route, {admitted, floor})
    return
  }
  exchange.response.once('close', () => {
    exchange.outcome ??= 'cancelled'
    floor.ended(exchange)
  })
  if (state.draining && !health) {
    exchange.problem(SHUT_DOWN.unbegun)
    return
  }
  // Whether it lives is no secret, and the ollama command tells what is wrong only where its first question,
  // for the root, was answered; everything else needs the right to ask.
  const open = health || (route.kind === 'own' && route.page === 'root')
  if (admitted.kind === 'refused' && !open) {
    exchange.problem(admitted.problem)
    return
  }
  const to = admitted.kind === 'admitted' ? admitted : undefined
  other(exchange, to, floor, state).catch((error: unknown) => failed(exchange, error, floor))
}

async function other(
  exchange: Exchange,
  admitted: Admitted | undefined,
  floor: Floor,
  state: {readonly draining: boolean},
): Promise<void> {
  const {route} = exchange
  const mayUse = (model: string) => admitted?.mayUse(model) ?? false
  switch (route.kind) {
    case 'own':
      if (!isInside(route.page)) return page(exchange, route.page, floor, state)
      if (admitted)
        await inside(exchange, route.page, {admitted, floor, draining: () => state.draining})
      return
    case 'list': {
      await floor.fleet.current(LIST_MS)
      const nodes = floor.fleet.nodes()
      if (route.list === 'ps')
        return exchange.json(200, {models: psOf(nodes.filter(canBeAsked), mayUse)})
      const tags = tagsOf(nodes.filter(canBeAsked), mayUse, floor.aliases())
      if (route.list === 'tags') return exchange.json(200, {models: tags})
      return exchange.json(200, {object: 'list', data: modelsOf(tags)})
    }
    case 'model': {
      await floor.fleet.current(LIST_MS)
      const key = modelKey(route.model)
      const tags = tagsOf(floor.fleet.nodes().filter(canBeAsked), mayUse, floor.aliases())
      const found = modelsOf(tags).find(({id}) => modelKey(id) === key)
      if (found) return exchange.json(200, {...found, id: route.model})
      return exchange.problem({status: 404, message: `model '${route.model}' not found`})
    }
    case 'manage': {
      const body = await bodyOf(exchange, floor)
      if (admitted) await manage(exchange, route.call, body, contextOf(exchange, admitted, floor))
      return
    }
    case 'blob':
      if (admitted) await blob(exchange, route.digest, contextOf(exchange, admitted, floor))
      return
    case 'registry':
      if (admitted && floor.registry) return models(exchange, admitted, floor.registry)
      break
    case 'identity':
      return exchange.problem({
        status: 403,
        message: 'this call acts with the identity of one node and is not passed on',
      })
    case 'method':
      exchange.outcome = 'caller'
      return exchange.reply(405, 'text/plain', '405 method not allowed', ['Allow', route.allow])
  }
  exchange.outcome = 'caller'
  exchange.reply(404, 'text/plain', '404 page not found')
}

async function page(
  exchange: Exchange,
  which: Exclude<Page, Inside>,
  {fleet, metrics}: Floor,
  {draining}: {readonly draining: boolean},
): Promise<void> {
  exchange.outcome = 'ok'
  const text = (status: number, words: string) =>
    exchange.reply(status, 'text/plain; charset=utf-8', words)
  switch (which) {
    case 'root':
      return text(200, 'Ollama is running')
    case 'healthz':
      return text(200, 'ok\n')
    case 'readyz': {
      if (draining) return text(503, 'shutting down\n')
      const up = fleet.nodes().filter(canBeAsked).length
      return up > 0 ? text(200, `${up} nodes can serve\n`) : text(503, 'no node can serve\n')
    }
    case 'version': {
      const version = oldestVersion(fleet.nodes())
      if (version !== undefined) return exchange.json(200, {version})
      return exchange.problem({
        status: 503,
        message: 'no node has told its version',
        retryAfterMs: 2000,
      })
    }
    case 'metrics': {
      const {type, text: exposition} = await metrics()
      return exchange.reply(200, type, exposition)
    }
  }
}

/** Without a promise on the way of what nearly all requests are. */
function infer(exchange: Exchange, route: Inference, {admitted, floor}: Serving): void {
  const {hub, limits} = floor
  exchange.key = admitted.tenant || undefined
  /** For what goes wrong before the hub has it, which ends it in any case. */
  const ended = (error?: unknown) => {
    if (error) failed(exchange, error, floor)
    floor.ended(exchange)
  }
  const submit = (body: Buffer, facts: Facts) => {
    const job = jobOf(exchange, {route, body, facts, admitted, floor})
    try {
      hub.submit(job)
    } catch (error) {
      failed(exchange, error, floor)
    }
  }
  const begin = (given: Buffer) => {
    checkIn(exchange, given)
    const options = {call: route.call, streams: route.dialect === 'ollama'}
    const {body, facts} = understood(given, options, floor.aliases())
    exchange.model = facts.model || undefined
    const refusal = refusalOf(facts, admitted, floor)
    if (refusal) {
      exchange.problem(refusal)
      return ended()
    }
    if (!facts.unload) return submit(body, facts)
    unload(exchange, body, contextOf(exchange, admitted, floor))
      .then((unloaded) => (unloaded ? ended() : submit(body, facts)))
      .catch(ended)
  }
  const done = (given: Buffer) => {
    try {
      begin(given)
    } catch (error) {
      ended(error)
    }
  }
  takeBody(exchange.request, {limits, buffers: hub.bodies}, {done, failed: ended})
}

interface Serving {
  readonly admitted: Admitted
  readonly floor: Floor
}

interface Understood extends Serving {
  readonly route: Inference
  readonly body: Buffer
  readonly facts: Facts
}

function jobOf(exchange: Exchange, {route, body, facts, admitted, floor}: Understood): Job {
  const {request} = exchange
  return {
    exchange,
    call: route.call,
    body,
    fields: facts.fields,
    headers: forwardedHeaders(request.rawHeaders),
    thread: threadOf(exchange, {route, facts, admitted, body}),
    tellsQueue:
      facts.stream &&
      route.dialect === 'ollama' &&
      route.call !== 'embed' &&
      headerOf(request.header('x-ollamax-queue-status')) === 'true',
    request: dispatchOf(exchange, {
      route,
      facts,
      admitted,
      prefix: floor.hasher.hash(body, facts.fields),
    }),
  }
}

async function bodyOf(exchange: Exchange, {limits}: Floor): Promise<Buffer> {
  const body = await readBody(exchange.request, limits)
  checkIn(exchange, body)
  return body
}

function checkIn(exchange: Exchange, body: Buffer): void {
  exchange.bytesIn = body.length
  // It was told meanwhile that the gateway ends.
  if (!exchange.open) throw new ClientGone('it was answered before the end of its request')
}

/** A thread is kept where the client or its key wants it, of streams in Ollama's own API. */
function threadOf(
  {request}: Exchange,
  of: {
    readonly route: Inference
    readonly facts: Facts
    readonly admitted: Admitted
    readonly body: Buffer
  },
): Thread | undefined {
  const asked = headerOf(request.header('x-ollamax-continue'))
  const wanted = asked === undefined ? of.admitted.continues : asked === 'true'
  if (!wanted || !of.facts.stream || of.route.dialect !== 'ollama' || of.facts.empty)
    return undefined
  return Thread.of(of.route.call, parseObject(of.body))
}

function contextOf({request}: Exchange, admitted: Admitted, floor: Floor): ManageContext {
  const {fleet, blobs} = floor
  const only = headerOf(request.header('x-ollamax-node'))
  return {fleet, blobs, admitted, only, aliases: floor.aliases()}
}

function failed(exchange: Exchange, error: unknown, floor: Floor): void {
  if (error instanceof ClientGone) {
    exchange.outcome = 'cancelled'
    return
  }
  if (error instanceof TooLarge || error instanceof SlowBody) {
    // What is left of its body is not read: the connection cannot be used again.
    exchange.response.closes = true
    exchange.problem({status: error instanceof TooLarge ? 413 : 408, message: error.message})
    return
  }
  if (error instanceof BadBody) {
    exchange.problem({status: 400, message: error.message})
    return
  }
  exchange.outcome = 'failed'
  floor.bug(error, exchange)
  if (exchange.response.headersSent) exchange.response.destroy()
  else exchange.problem({status: 500, message: 'the gateway failed; its log says how'})
}
