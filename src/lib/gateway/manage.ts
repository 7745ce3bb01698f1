import type {Aliases} from '../cluster/alias.ts'
import {messageOf} from '../errors.ts'
import {type Json, ObjectOf, parseObject} from './body/parse.ts'
import {type Exchange, outcomeOf} from './exchange.ts'
import type {FleetNode, FleetSeen} from './fleet.ts'
import type {Admitted} from './guard.ts'
import {forwardedHeaders} from './headers.ts'
import {type Collected, collect, pass} from './pass.ts'
import {byAptitude, canBeAsked, holdersOf, loadedOn} from './places.ts'
import type {Manage} from './route.ts'

/** Where uploaded blobs went, so that the `create` that follows goes there too: known here, or asked elsewhere. */
export interface Blobs {
  /** Resolves when everybody can know it. */
  remember(digest: string, node: string): void | Promise<void>
  of(digest: string): string | undefined | Promise<string | undefined>
}

/** Those of this process. */
export class BlobPlaces implements Blobs {
  readonly #nodes = new Map<string, string>()

  remember(digest: string, node: string): void {
    this.#nodes.delete(digest)
    this.#nodes.set(digest, node)
    if (this.#nodes.size <= MOST_BLOBS) return
    const oldest = this.#nodes.keys().next().value
    if (oldest !== undefined) this.#nodes.delete(oldest)
  }

  of(digest: string): string | undefined {
    return this.#nodes.get(digest)
  }
}

const MOST_BLOBS = 1000
/** For calls that end at once on a healthy node; pulls and creations take as long as they take. */
const QUICK_MS = 60_000
/** Who lists models after a change shall see it; for a node that is slow to tell, nobody waits longer. */
const FRESH_MS = 1000

/** What management calls work with. */
export interface ManageContext {
  readonly fleet: FleetSeen
  readonly blobs: Blobs
  readonly admitted: Admitted
  /** A node that the client names by a header. */
  readonly only: string | undefined
  readonly aliases: Aliases
}

/** Why a node could not be asked, as far as the client may know it: the words of a broken connection may hold its address. */
function why(error: unknown, {admin}: Admitted): string {
  return admin ? messageOf(error) : 'could not be reached, or broke the connection'
}

/** The same about a model by another name. */
function aboutModel(given: Json, model: string): Buffer {
  const rest = Object.entries(given).filter(([field]) => !/^(model|name)$/i.test(field))
  return Buffer.from(JSON.stringify({...Object.fromEntries(rest), model}))
}

/** Carries a management call to where it belongs and answers it. */
export async function manage(
  exchange: Exchange,
  call: Manage,
  body: Buffer,
  context: ManageContext,
): Promise<void> {
  const given = parseObject(body)
  const object = new ObjectOf(given)
  const named = object.text('model') || object.text('name') || ''
  // All else is about the model that has that name itself, if any: an alias is nothing that nodes have.
  const model = call === 'show' ? context.aliases.resolve(named) : named
  const names =
    call === 'copy' ? [object.text('source') ?? '', object.text('destination') ?? ''] : [model]
  const [subject = ''] = names
  exchange.model = subject
  const forbidden = names.find((name) => !context.admitted.mayUse(name))
  if (forbidden !== undefined)
    return exchange.problem({status: 403, message: `this key may not use model '${forbidden}'`})
  // Somebody may have brought it to a node a moment ago.
  if (holdersOf(context.fleet.nodes(), subject).length === 0) await context.fleet.current(FRESH_MS)
  if (call === 'copy' || call === 'delete') return everywhere(exchange, {body, subject}, context)
  const nodes = await candidatesOf(call, {object, subject}, context)
  if (nodes.length === 0) return noNode(exchange)
  if (call === 'show') {
    const meant = model === named ? body : aboutModel(given, model)
    return oneOf(exchange, nodes, {body: meant, context})
  }
  // A pull that has begun somewhere is not begun a second time elsewhere.
  await oneOf(exchange, nodes.slice(0, 1), {body, context, changes: true})
}

async function candidatesOf(
  call: Manage,
  {object, subject}: {readonly object: ObjectOf; readonly subject: string},
  {fleet, blobs, only}: ManageContext,
): Promise<readonly FleetNode[]> {
  const up = fleet.nodes().filter(canBeAsked).sort(byAptitude)
  const named = only === undefined ? up : up.filter(({spec}) => spec.name === only)
  const holders = holdersOf(named, subject)
  // What nobody has is told in a node's own words.
  if (call === 'show' || call === 'push') return holders.length > 0 ? holders : named.slice(0, 1)
  if (call === 'pull') return holders.length > 0 ? holders : named
  const files = {...object.object('files'), ...object.object('adapters')}
  for (const digest of Object.values(files)) {
    const place = await blobs.of(String(digest))
    const node = named.find(({spec}) => spec.name === place)
    if (node) return [node]
  }
  const from = object.text('from')
  const based = from ? holdersOf(named, from) : []
  return based.length > 0 ? based : named
}

async function oneOf(
  exchange: Exchange,
  nodes: readonly FleetNode[],
  {
    body,
    context,
    changes = false,
  }: {
    readonly body: Buffer
    readonly context: ManageContext
    /** What the node has is another afterwards. */
    readonly changes?: boolean
  },
): Promise<void> {
  let last: unknown
  for (const {spec} of nodes) {
    const beforeEnd = () => context.fleet.fresh([spec.name], FRESH_MS)
    const upstream = context.fleet.upstream(spec.name)
    if (!upstream) continue
    exchange.node = spec.name
    exchange.attempts++
    const request = {...requestOf(exchange, body), ...(changes ? {beforeEnd} : {})}
    const passed = await pass(exchange, upstream, request)
    if (passed.kind === 'passed') return
    last = passed.error
    context.fleet.look(spec.name)
  }
  exchange.outcome = 'failed'
  exchange.problem({status: 502, message: `node ${exchange.node}: ${why(last, context.admitted)}`})
}

function requestOf({request, target}: Exchange, body: Buffer) {
  return {
    method: request.method,
    target,
    headers: forwardedHeaders(request.rawHeaders),
    body,
  }
}

/** On each node that has it, so that a name means the same everywhere; the worst answer is the answer. */
async function everywhere(
  exchange: Exchange,
  {body, subject}: {readonly body: Buffer; readonly subject: string},
  context: ManageContext,
): Promise<void> {
  const up = context.fleet.nodes().filter(canBeAsked)
  if (up.length === 0) return noNode(exchange)
  const holders = holdersOf(up, subject)
  await onAll(exchange, holders.length > 0 ? holders : up.slice(0, 1), {body, context})
}

/** Unloads a model wherever it is in memory. False: it is nowhere, so any node may say so. */
export async function unload(
  exchange: Exchange,
  body: Buffer,
  context: ManageContext,
): Promise<boolean> {
  const find = () => loadedOn(context.fleet.nodes().filter(canBeAsked), exchange.model ?? '')
  let loaded = find()
  if (loaded.length === 0) {
    await context.fleet.current(FRESH_MS)
    loaded = find()
  }
  if (loaded.length === 0) return false
  await onAll(exchange, loaded, {body, context})
  return true
}

async function onAll(
  exchange: Exchange,
  nodes: readonly FleetNode[],
  {body, context}: {readonly body: Buffer; readonly context: ManageContext},
): Promise<void> {
  const stop = new AbortController()
  exchange.response.once('close', () => stop.abort(new Error('the client left')))
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(QUICK_MS)])
  const request = requestOf(exchange, body)
  exchange.attempts = nodes.length
  exchange.node = nodes.map(({spec}) => spec.name).join(',')
  const answers = await Promise.allSettled(
    nodes.map(async ({spec}) => {
      const upstream = context.fleet.upstream(spec.name)
      if (!upstream) throw new Error('not connected')
      return collect(upstream, request, signal)
    }),
  )
  await context.fleet.fresh(
    nodes.map(({spec}) => spec.name),
    FRESH_MS,
  )
  const failed = answers.flatMap((answer, at) =>
    answer.status === 'rejected'
      ? [`${nodes[at]?.spec.name}: ${why(answer.reason, context.admitted)}`]
      : [],
  )
  if (failed.length > 0) {
    exchange.outcome = 'failed'
    return exchange.problem({status: 502, message: `not done on ${failed.join('; ')}`})
  }
  const told = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  const worst = told.reduce(
    (a: Collected | undefined, b) => (a && a.status >= b.status ? a : b),
    undefined,
  )
  if (!worst) return noNode(exchange)
  exchange.outcome = outcomeOf(worst.status)
  exchange.reply(worst.status, '', worst.body, worst.headers)
}

function noNode(exchange: Exchange): void {
  exchange.problem({status: 503, message: 'no node can be asked now', retryAfterMs: 2000})
}

/** Uploads, or looks for, a part of a model; all parts of one model must lie on one node. */
export async function blob(
  exchange: Exchange,
  digest: string,
  context: ManageContext,
): Promise<void> {
  const {fleet, blobs, only, admitted} = context
  if (!admitted.everyModel)
    return exchange.problem({status: 403, message: 'this key may not upload models'})
  const up = fleet.nodes().filter(canBeAsked).sort(byAptitude)
  const place = only ?? (await blobs.of(digest))
  const node = up.find(({spec}) => spec.name === place) ?? (only === undefined ? up[0] : undefined)
  const upstream = node && fleet.upstream(node.spec.name)
  if (!node || !upstream) return noNode(exchange)
  exchange.node = node.spec.name
  exchange.attempts = 1
  const {request} = exchange
  const passed = await pass(exchange, upstream, {
    method: request.method,
    target: exchange.target,
    headers: forwardedHeaders(request.rawHeaders),
    body: request.method === 'HEAD' ? null : request.stream(),
    beforeEnd: async (status) => {
      if (status < 300) await blobs.remember(digest, node.spec.name)
    },
  })
  if (passed.kind === 'failed') {
    exchange.outcome = 'failed'
    return exchange.problem({
      status: 502,
      message: `node ${node.spec.name}: ${why(passed.error, admitted)}`,
    })
  }
}
