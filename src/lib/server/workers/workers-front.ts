import {once} from 'node:events'
import type {AddressInfo} from 'node:net'
import {createServer} from 'node:net'
import type {Dispatcher} from '../../balancer/dispatcher.ts'
import type {LiveRequest} from '../../cluster/live.ts'
import type {Reading} from '../../cluster/reading.ts'
import {steadyMs} from '../../gateway/clock.ts'
import type {FleetNode} from '../../gateway/fleet.ts'
import type {Admitted} from '../../gateway/guard.ts'
import {within} from '../../gateway/within.ts'
import type {WorkersSample} from '../../metrics/worker-metrics.ts'
import type {Core, Front} from '../front.ts'
import type {ListenAddress} from '../listen-address.ts'
import {Crew} from './crew.ts'
import type {NodeCopy, PrimaryDesk, WorkerSettings} from './desks.ts'
import {Switchboard} from './switchboard.ts'
import type {Hand} from './worker-process.ts'

/** A worker that has not said by then what it is doing is left out. */
const ANSWER_MS = 1000
/** More decisions than anybody can ask for. */
const ALL = Number.MAX_SAFE_INTEGER

/** Answers in processes of their own; what has to be one for all of them is here, and asked over their lines. */
export class WorkersFront implements Front {
  readonly sink: Switchboard
  readonly #core: Core
  readonly #crew: Crew
  #listen: ListenAddress
  /** Tokens by node that workers have told of and nobody has asked for. */
  #tokens = new Map<string, number>()

  constructor(core: Core, size: number) {
    this.#core = core
    this.sink = new Switchboard((node) => core.running().fleet.used(node))
    this.#listen = core.settings.listen
    this.#crew = new Crew({
      size,
      log: core.log,
      deskOf: (hand) => this.#desk(hand),
      gone: (hand) => this.sink.drop(hand),
    })
  }

  get size(): number {
    return this.sink.size
  }

  /** What the workers use, for the metrics. */
  sample(): WorkersSample {
    const hands = this.#crew.hands()
    return {
      workers: hands.map(({place, usage}) => ({place, ...usage})),
      ended: this.#crew.ended,
    }
  }

  use(dispatcher: Dispatcher): void {
    this.sink.use(dispatcher)
  }

  /** At once: what the dispatcher decides goes over a line, and never comes back while it is at work. */
  tell(event: (nowMs: number) => void): void {
    event(steadyMs())
  }

  readonly read = ({node}: Reading): void => {
    const found = this.#core.running().fleet.node(node)
    if (!found) return
    const copy = copyOf(found)
    for (const {link} of this.#crew.hands()) link.tell('read', copy)
  }

  async requests(): Promise<LiveRequest[]> {
    const told = await this.#askAll((link) => link.ask('requests'))
    return told.flat()
  }

  tokens(): ReadonlyMap<string, number> {
    const tokens = this.#tokens
    this.#tokens = new Map()
    return tokens
  }

  async cancel(requestId: string): Promise<boolean> {
    const had = await this.#askAll((link) => link.ask('cancelRequest', requestId))
    return had.includes(true)
  }

  /** What those workers say that answer in time; the others may be about to end. */
  async #askAll<T>(question: (link: Hand['link']) => Promise<T>): Promise<T[]> {
    const said: T[] = []
    const asked = this.#crew.hands().map(async ({link}) => said.push(await question(link)))
    await within(Promise.allSettled(asked), ANSWER_MS)
    return said
  }

  async open(): Promise<string> {
    // All of them, also one that is started later, have to mean the same one.
    if (this.#listen.port === 0) this.#listen = await freePort(this.#listen)
    return this.#crew.start()
  }

  changed(what: 'nodes' | 'keys'): void {
    for (const hand of this.#crew.hands()) this.#tell(hand, what)
  }

  drain(deadlineMs: number): Promise<void> {
    return this.#crew.drain(deadlineMs)
  }

  async close(): Promise<void> {
    await this.#crew.close()
    this.sink.close()
  }

  #tell({link}: Hand, what: 'nodes' | 'keys'): void {
    const {keys, running} = this.#core
    if (what === 'nodes') {
      const {fleet, aliases} = running()
      link.tell('nodes', fleet.nodes().map(copyOf), aliases().all)
    } else link.tell('keys', keys().ring.keys, keys().wanted)
  }

  #desk(hand: Hand): Omit<PrimaryDesk, 'listening' | 'unable'> {
    const {sink} = this
    const {log, metrics, insight, live, limiter, blobs, running, ended} = this.#core
    return {
      submit: (request) => sink.submit(hand, request),
      began: (id) => sink.began(hand, id),
      settle: (id, outcome) => sink.settle(hand, id, outcome),
      cancel: (id) => sink.cancel(hand, id),
      hedge: (id, hedgeId) => sink.hedge(hand, id, hedgeId),
      ended: (record, inference, id) => ended(record, inference, sink.ended(hand, id)),
      failed: (node, kind) => metrics.failedAttempt(node, kind),
      look: (node) => running().fleet.look(node),
      usage: (cpuSeconds, residentBytes) => {
        hand.usage = {cpuSeconds, residentBytes}
      },
      warn: (message) => log.warn(message, {worker: hand.pid}),
      bug: (error, id) => log.error('a bug', {err: error, id, worker: hand.pid}),
      hello: () => {
        this.#tell(hand, 'keys')
        this.#tell(hand, 'nodes')
        return this.#settings()
      },
      take: (key) => limiter.take(key, Date.now()),
      fresh: async (nodes, withinMs) => {
        await running().fleet.fresh(nodes, withinMs)
        const heard = this.#crew.hands().map(({link}) => link.ask('heard'))
        await within(Promise.allSettled(heard), withinMs)
      },
      // What was read is told before this is answered.
      current: (withinMs) => running().fleet.current(withinMs),
      explain: (request) => insight.explain(request),
      view: () => insight.view(),
      decisions: () => insight.decisions(ALL, () => true),
      recording: (most, tenant) => insight.recording(most, this.#asker(tenant)),
      tokens: (counts) => {
        for (const [node, count] of counts)
          this.#tokens.set(node, (this.#tokens.get(node) ?? 0) + count)
      },
      liveLook: (cursor) => live.look(cursor ?? undefined),
      liveDecision: (requestId) => live.decision(requestId),
      liveCancel: (requestId) => live.cancel(requestId),
      metrics: async () => ({type: metrics.contentType, text: await metrics.scrape()}),
      blobAt: (digest) => blobs.of(digest),
      blobLies: (digest, node) => blobs.remember(digest, node),
    }
  }

  /** Whoever asks through a worker, with the rights that the key has here. */
  #asker(tenant: string): Pick<Admitted, 'tenant' | 'mayUse'> {
    const {ring} = this.#core.keys()
    const key = ring.keys.find(({id}) => id === tenant)
    return {tenant, mayUse: (model) => (key ? ring.mayUse(key, model) : tenant === '')}
  }

  #settings(): WorkerSettings {
    const {tls, origins, allowCloud} = this.#core.settings
    const registry = this.#core.registry()
    const pem = tls && {cert: tls.cert.toString('latin1'), key: tls.key.toString('latin1')}
    return {
      listen: this.#listen,
      ...(pem ? {tls: pem} : {}),
      ...{origins, allowCloud},
      ...(registry?.kind === 'url' ? {registry} : {}),
      ticketSecret: this.#core.ticketSecret,
      version: this.#core.version,
    }
  }
}

function copyOf({spec, reading, tags, ps}: FleetNode): NodeCopy {
  return {spec, ...(reading ? {reading} : {}), tags, ps}
}

/** A port that nobody has now. If it cannot be had, listening there will tell why. */
async function freePort({host}: ListenAddress): Promise<ListenAddress> {
  const server = createServer()
  server.listen({host, port: 0})
  try {
    await once(server, 'listening')
    return {host, port: (server.address() as AddressInfo).port}
  } catch {
    return {host, port: 0}
  } finally {
    server.close()
  }
}
