import type {Aliases} from '../cluster/alias.ts'
import {dispatchOf, refusalOf, understood} from './asked.ts'
import type {PrefixHasher} from './body/prefix.ts'
import {type BodyLimits, readBody} from './body/read.ts'
import type {Exchange} from './exchange.ts'
import type {FleetSeen} from './fleet.ts'
import {fleetPage} from './fleet-page.ts'
import type {Admitted} from './guard.ts'
import type {Insight} from './insight.ts'
import type {LiveDoor} from './live/door.ts'
import {livePage} from './live/page.ts'
import {requestPage} from './live/request-page.ts'
import type {Page} from './route.ts'

/** What these pages are made from. */
export interface InsideFloor {
  readonly fleet: FleetSeen
  readonly insight: Insight
  /** Absent: nobody can watch this one. */
  readonly live?: LiveDoor
  readonly hasher: PrefixHasher
  readonly limits: BodyLimits
  readonly allowCloud: boolean
  readonly aliases: () => Aliases
}

/** Pages that show how the balancer decides and what goes on, and the one that may end a request. */
const PAGES = ['explain', 'decisions', 'recording', 'fleet', 'live', 'request'] as const
export type Inside = (typeof PAGES)[number]
export const isInside = (which: Page): which is Inside => PAGES.some((page) => page === which)

const NOT_SHOWN = {
  status: 403,
  message:
    'how the gateway decides is shown to keys that were made for it (ollamax key create NAME --admin) and, where no key is wanted, to its own machine',
}

const NOT_HERE = {status: 404, message: 'this gateway cannot be watched'}

/** More than a table holds. */
const MOST_DECISIONS = 1000

/** Answers one of them; decides nothing. Throws BadBody and what reading a body throws. */
export async function inside(
  exchange: Exchange,
  which: Inside,
  {
    admitted,
    floor,
    draining,
  }: {
    readonly admitted: Admitted
    readonly floor: InsideFloor
    /** The gateway takes nothing new, and waits for what runs. */
    readonly draining: () => boolean
  },
): Promise<void> {
  if (!admitted.admin) return exchange.problem(NOT_SHOWN)
  const {live} = floor
  const mayUse = (model: string) => admitted.mayUse(model)
  switch (which) {
    case 'explain':
      return explain(exchange, {admitted, floor})
    case 'decisions':
      return exchange.json(200, {
        decisions: await floor.insight.decisions(mostOf(exchange), mayUse),
      })
    case 'recording':
      return exchange.json(200, await floor.insight.recording(mostOf(exchange), admitted))
    case 'fleet': {
      const {view, nowMs} = await floor.insight.view()
      return exchange.json(200, fleetPage(floor.fleet.nodes(), view, {nowMs, mayUse}))
    }
    case 'live':
      return live ? livePage(exchange, live, {admitted, draining}) : exchange.problem(NOT_HERE)
    case 'request':
      return live ? requestPage(exchange, live, admitted) : exchange.problem(NOT_HERE)
  }
}

/** How many of the latest requests are asked for. */
function mostOf({target}: Exchange): number {
  const asked = new URL(target, 'http://x').searchParams.get('limit') ?? ''
  return /^\d{1,4}$/.test(asked) ? Number(asked) : MOST_DECISIONS
}

/** What would be done with such a request; the body is that of a chat, a generate or an embed. */
async function explain(
  exchange: Exchange,
  {admitted, floor}: {readonly admitted: Admitted; readonly floor: InsideFloor},
): Promise<void> {
  const given = await readBody(exchange.request, floor.limits)
  exchange.bytesIn = given.length
  const options = {call: 'generate', streams: true} as const
  const {body, facts} = understood(given, options, floor.aliases())
  exchange.model = facts.model || undefined
  const refusal = refusalOf(facts, admitted, floor)
  if (refusal) return exchange.problem(refusal)
  const {places} = facts.fields
  const call = places.has('input') ? 'embed' : places.has('messages') ? 'chat' : 'generate'
  const prefix = floor.hasher.hash(body, facts.fields)
  const route = {kind: 'inference', name: exchange.route.name, dialect: 'ollama', call} as const
  const request = dispatchOf(exchange, {route, facts, admitted, prefix})
  exchange.json(200, await floor.insight.explain(request))
}
