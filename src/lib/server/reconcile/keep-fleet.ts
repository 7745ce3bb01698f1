import {join} from 'node:path'
import type {FleetEvent} from '../../cluster/fleet-event.ts'
import {messageOf, OllamaxError} from '../../errors.ts'
import type {WorkTools} from '../../jobs/desired/fleet-work.ts'
import type {Log} from '../../log/make-log.ts'
import {deployDirectory} from '../../state/deploy-lock.ts'
import {withLock} from '../../state/lock.ts'
import {Rounds} from './round.ts'
import {EventTeller} from './tell-events.ts'

export interface KeepFleetOptions {
  readonly cluster: string
  /** Between two looks at the fleet. */
  readonly everyMs: number
  /** For so long after a node answered last, what it has counts still. */
  readonly graceMs: number
  /** See `RoundOptions`. */
  readonly rolls: boolean
  readonly log: Pick<Log, 'info' | 'warn'>
  /** Hears what it sees and does, beside the log. */
  readonly told?: (event: FleetEvent) => void
}

/** What keeps a fleet as it is wanted, until it is closed. */
export interface FleetKeeper {
  /** The cluster file changed: looks at once. */
  poke(): void
  /** Ends what is being done where it stands; the next one goes on from there. */
  close(): Promise<void>
}

/** After rounds that fail as a whole, the wait doubles, up to this many times the usual one. */
const MOST_WAITS = 16
/** One that stands by asks so often whether the other one is still there. */
const STANDBY_MS = 2000

/** Begins to keep the fleet: one process per cluster and machine does it, others stand by. */
export function keepFleet(tools: WorkTools, options: KeepFleetOptions): FleetKeeper {
  const {cluster, everyMs, graceMs, rolls, log, told} = options
  const stop = new AbortController()
  const signal = AbortSignal.any([tools.signal, stop.signal])
  const events = new EventTeller(tools.paths, cluster, {log, told})
  let wake = Promise.withResolvers<void>()
  const rounds = new Rounds(
    {...tools, signal, clusterName: () => cluster},
    {events, log, graceMs, rolls},
  )
  const loop = async () => {
    events.over('standby')
    events.tell('started', `keeps the cluster ${cluster} as its file wants it`)
    for (let bad = 0; ; ) {
      wake = Promise.withResolvers()
      try {
        await rounds.run()
        events.over('trouble')
        bad = 0
      } catch (error) {
        signal.throwIfAborted()
        events.tellChange('trouble', 'trouble', messageOf(error))
        bad++
      }
      const waits = Math.min(MOST_WAITS, 2 ** Math.max(0, bad - 1))
      await within(wake.promise, everyMs * waits, signal)
    }
  }
  const lead = async () => {
    for (;;) {
      try {
        const directory = join(deployDirectory(tools.paths, cluster), 'reconcile')
        const why = 'serve --reconcile'
        await withLock(directory, loop, {signal, why, timeoutMs: STANDBY_MS})
      } catch (error) {
        signal.throwIfAborted()
        const busy = OllamaxError.is(error, 'LOCKED')
        const text = busy ? `another one is at work: ${error.message}` : messageOf(error)
        events.tellChange('standby', busy ? 'standby' : 'trouble', text)
        await within(new Promise(() => {}), STANDBY_MS, signal)
      }
    }
  }
  const ended = lead().catch((error: unknown) => {
    if (!signal.aborted) log.warn(`reconcile: it has ended: ${messageOf(error)}`)
  })
  return {
    poke: () => wake.resolve(),
    async close() {
      stop.abort(new OllamaxError('INTERRUPTED', 'the gateway ends'))
      await ended
      events.tell('stopped', `the cluster ${cluster} is no longer kept as its file wants it`)
    },
  }
}

/** Resolves with the promise or after the time; throws the signal's reason. */
function within(promise: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => end(resolve), ms)
    const aborted = () => end(() => reject(signal.reason))
    const end = (settle: () => void) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', aborted)
      settle()
    }
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, {once: true})
    void promise.then(() => end(resolve))
  })
}
