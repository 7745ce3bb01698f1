import type {DispatchSink} from './dispatch-request.ts'
import type {Job} from './job.ts'
import type {ModelState} from './model-state.ts'
import type {NodeState} from './node-state.ts'
import {release} from './pick.ts'
import {expectedShare} from './work.ts'

/** Doors are told new places in a queue so often. */
const TELL_MS = 500

/** All that wait, whatever the model. */
export class Lobby {
  readonly #sink: Pick<DispatchSink, 'queued'>
  readonly #models = new Set<ModelState>()
  #toldMs = Number.NEGATIVE_INFINITY

  constructor(sink: Pick<DispatchSink, 'queued'>) {
    this.#sink = sink
  }

  get empty(): boolean {
    return this.#models.size === 0
  }

  /** How many wait. */
  get size(): number {
    let size = 0
    for (const {queue} of this.#models) size += queue.length
    return size
  }

  /** The models that somebody waits for. */
  get models(): readonly ModelState[] {
    return [...this.#models]
  }

  /** Those of them that the node has, the one whose first has waited longest first. */
  modelsOn({replicas}: NodeState): readonly ModelState[] {
    if (this.#models.size === 0) return []
    return this.models
      .filter(({key}) => replicas.has(key))
      .sort((a, b) => firstSince(a) - firstSince(b))
  }

  /** Lets it wait. Returns who is one too many then. */
  enter(job: Job, nowMs: number): Job | undefined {
    const {request, model} = job
    const {tenant, weight = 1, priority} = request
    const again = job.failed !== undefined
    const cost = expectedShare(request, model.answerTokens)
    this.#models.add(model)
    return model.queue.push(job, {tenant, weight, priority, cost, again}, nowMs)
  }

  /** It waits no longer, and was not sent. */
  leave(job: Job): void {
    release(job)
    job.model.queue.remove(job)
    this.settle(job.model)
  }

  /** Somebody has left that model's queue. */
  settle(model: ModelState): void {
    if (model.queue.length === 0) this.#models.delete(model)
  }

  /** Tells the door of a job that has just come where it stands. */
  welcome(job: Job, nowMs: number): void {
    this.#tell(job, job.model.queue.waiting.findIndex((one) => one.item === job) + 1, nowMs)
  }

  /** Tells the doors whose places have changed, now and then. */
  tellPlaces(nowMs: number): void {
    if (nowMs - this.#toldMs < TELL_MS) return
    this.#toldMs = nowMs
    for (const {queue} of this.#models)
      queue.waiting.forEach(({item}, at) => {
        if (item.position !== at + 1) this.#tell(item, at + 1, nowMs)
      })
  }

  #tell(job: Job, position: number, nowMs: number): void {
    job.position = position
    const expectedMs = job.model.queueMs(position, nowMs)
    this.#sink.queued(job.request.id, {position, expectedMs})
  }
}

const firstSince = ({queue}: ModelState) => queue.waiting[0]?.sinceMs ?? Number.POSITIVE_INFINITY
