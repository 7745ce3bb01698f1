import {messageOf, OllamaxError} from '../../errors.ts'
import type {DispatchDoor} from '../../gateway/hub.ts'
import type {DoorParts} from '../open-door.ts'
import type {PrimaryDesk, ToldError} from './desks.ts'
import type {Link} from './link.ts'

/** The primary's dispatcher, as a worker's hub tells it of its requests; what it decides comes over the line. */
export function remoteDispatcher(
  link: Link<PrimaryDesk>,
  /** Resolves when the node's connections can be used; absent: they can, or cannot be had. */
  opening: (node: string) => Promise<void> | undefined,
): DispatchDoor {
  return {
    submit: (request) => link.tell('submit', request),
    began: (id) => link.tell('began', id),
    settle: (id, outcome) => link.tell('settle', id, outcome),
    cancel: (id) => link.tell('cancel', id),
    async hedge(id, hedgeId) {
      // With the primary gone this process ends as well.
      const to = await link.ask('hedge', id, hedgeId).catch(() => undefined)
      if (to) await opening(to.node)
      return to
    },
    // The primary has a clock of its own.
    tick() {},
  }
}

/** What else a worker asks the primary, since there is one of it for all. */
export function remoteParts(
  link: Link<PrimaryDesk>,
): Pick<DoorParts, 'limiter' | 'insight' | 'live' | 'blobs' | 'metrics' | 'bug'> {
  return {
    limiter: {
      take: ({id, ratePerMinute}) =>
        ratePerMinute === undefined ? {kind: 'ok'} : link.ask('take', {id, ratePerMinute}),
    },
    insight: {
      explain: (request) => link.ask('explain', request),
      view: () => link.ask('view'),
      decisions: async (most, mayUse) =>
        (await link.ask('decisions')).filter(({model}) => mayUse(model)).slice(0, most),
      recording: (most, {tenant}) => link.ask('recording', most, tenant),
    },
    live: {
      look: (cursor) => link.ask('liveLook', cursor ?? null),
      decision: (requestId) => link.ask('liveDecision', requestId),
      cancel: (requestId) => link.ask('liveCancel', requestId),
    },
    blobs: {
      of: (digest) => link.ask('blobAt', digest),
      remember: (digest, node) => link.ask('blobLies', digest, node),
    },
    metrics: () => link.ask('metrics'),
    bug: (error, {requestId}) => link.tell('bug', told(error), requestId),
  }
}

/** As pino tells an error, since what it tells goes through the primary's log. */
export function told(error: unknown): ToldError {
  if (!(error instanceof Error)) return {type: 'Error', message: messageOf(error)}
  const {name, message, stack} = error
  return {
    ...{type: name, message, stack},
    ...(OllamaxError.is(error) ? {code: error.code, suggestions: error.suggestions} : {}),
  }
}
