import type {FleetEvent} from '../../cluster/fleet-event.ts'
import type {ClusterPlan} from '../../desired/cluster-plan.ts'
import {messageOf} from '../../errors.ts'
import type {Log} from '../../log/make-log.ts'
import {appendEvent} from '../../state/event-log.ts'
import type {Paths} from '../../state/paths.ts'

type Kind = FleetEvent['event']

/** Says what the reconciler sees and does: in its event log and in the log of the gateway. Never throws. */
export class EventTeller {
  readonly #paths: Pick<Paths, 'data'>
  readonly #cluster: string
  readonly #log: Pick<Log, 'info' | 'warn'>
  readonly #told: ((event: FleetEvent) => void) | undefined
  /** What was last told of something that goes on, so that it is told once. */
  readonly #last = new Map<string, string>()

  constructor(
    paths: Pick<Paths, 'data'>,
    cluster: string,
    to: {
      readonly log: Pick<Log, 'info' | 'warn'>
      /** Hears everything, too. */
      readonly told?: ((event: FleetEvent) => void) | undefined
    },
  ) {
    this.#paths = paths
    this.#cluster = cluster
    this.#log = to.log
    this.#told = to.told
  }

  tell(event: Kind, text: string, node?: string): void {
    const fields = node === undefined ? {} : {node}
    const bad = event === 'failed' || event === 'unmet' || event === 'lost' || event === 'trouble'
    if (bad) this.#log.warn(`reconcile: ${text}`, {event, ...fields})
    else this.#log.info(`reconcile: ${text}`, {event, ...fields})
    const told = {at: new Date().toISOString(), event, ...fields, text}
    this.#told?.(told)
    try {
      appendEvent(this.#paths, this.#cluster, told)
      this.#last.delete('log')
    } catch (error) {
      this.#once('log', messageOf(error), () =>
        this.#log.warn(`reconcile: the event log is not whole: ${messageOf(error)}`),
      )
    }
  }

  /** As `tell`, but not again while it is the same. */
  tellChange(about: string, event: Kind, text: string): void {
    this.#once(about, text, () => this.tell(event, text))
  }

  /** What was going on has ended: the next time it is told again. */
  over(about: string): boolean {
    return this.#last.delete(about)
  }

  #once(about: string, text: string, work: () => void): void {
    if (this.#last.get(about) === text) return
    this.#last.set(about, text)
    work()
  }

  /** Nodes that went silent or came back, and wishes that cannot be met or can be again. */
  tellPlan(
    {silent, unmet, unfit}: ClusterPlan,
    lost: ReadonlySet<string>,
    known: readonly string[],
  ): void {
    const away = new Map(silent.map(({node, reason}) => [node, reason]))
    for (const node of known) {
      const reason = away.get(node)
      const about = `node ${node}`
      if (reason === undefined) {
        if (this.over(about)) this.tell('back', `${node} answers again`, node)
        continue
      }
      const event = lost.has(node) ? 'lost' : 'silent'
      const state = lost.has(node)
        ? `${node} has not answered for too long: what it had is made anew elsewhere`
        : `${node} does not answer: it is waited for (${reason})`
      // Its reason may change while it is away; that is no news.
      this.#once(about, event, () => this.tell(event, state, node))
    }
    const short = [
      ...unmet.map(({text}) => text),
      ...unfit.map(({node, text}) => `${node}: ${text}`),
    ]
    if (short.length > 0) this.tellChange('wishes', 'unmet', short.join('; '))
    else if (this.over('wishes')) this.tell('met', 'all wishes can be met again')
  }
}
