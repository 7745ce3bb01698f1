import type {ModelTag} from '../cluster/reading.ts'
import {seriousNeeds} from './candidates.ts'
import type {DispatchRequest} from './dispatch-request.ts'
import type {ModelState} from './model-state.ts'
import type {Replica} from './replica.ts'
import type {Failure, Verdict} from './verdict.ts'

/** A failed attempt of a job that may be tried elsewhere. */
interface Failed {
  readonly failure: Failure
  readonly verdict: Verdict
  readonly node: string
}

/** The attempt that a job is making: where, since when, and what was expected of it. */
export interface Attempt {
  readonly replica: Replica
  readonly sentMs: number
  readonly expected: {readonly loadMs: number; readonly promptMs: number; readonly answerMs: number}
  /** Requests of ours that the replica had then, and this one. */
  readonly atOnce: number
  /** How many times as long as alone everything took there when it was sent. */
  readonly crowding: number
  /** Other models that were at work there. */
  readonly beside: number
  /** True: the model was in memory. */
  readonly warm: boolean
  /** Tokens of the prompt that the replica had evaluated before. */
  readonly cachedTokens: number
  /** Of the replica's breaker and of the node's. */
  readonly tickets: {readonly replica: number; readonly node: number}
  begunMs?: number
}

/** One request from submission to its end. */
export class Job {
  readonly request: DispatchRequest
  readonly model: ModelState
  readonly submittedMs: number
  /** What its model must be able to do; undefined: whatever it is, the nodes shall say. */
  readonly needs: string | undefined
  /** Replicas that it was given to and that failed. */
  readonly tried: Replica[] = []
  /** Absent while it waits. */
  attempt?: Attempt | undefined
  /** Chosen already, by a policy that does not wait for whoever is free first. */
  bound?: Replica | undefined
  /** A second attempt was made beside its first one, or it is that second attempt: there is no third. */
  hedged = false
  /** Of a second attempt: the job that it helps. */
  hedgeOf?: Job
  failed?: Failed | undefined
  /** Since when it waits for its present chance: its coming, or its last failure. */
  sinceMs: number
  /** The place in the queue that the door was told last. */
  position = 0

  constructor(request: DispatchRequest, model: ModelState, submittedMs: number) {
    this.request = request
    this.model = model
    this.submittedMs = submittedMs
    this.sinceMs = submittedMs
    const {needs} = request
    this.needs = needs && seriousNeeds(needs, tagsThatCount(request, model))
  }

  /** The same request once more, for an attempt beside this one's. */
  hedge(id: number, nowMs: number): Job {
    const second = new Job({...this.request, id}, this.model, nowMs)
    second.tried.push(...this.tried)
    if (this.attempt) second.tried.push(this.attempt.replica)
    second.hedgeOf = this
    second.hedged = true
    this.hedged = true
    return second
  }

  /** Time that its attempt still needs, as expected. */
  remainingMs(nowMs: number): number {
    const {attempt} = this
    if (!attempt) return 0
    const {expected, begunMs, sentMs} = attempt
    const {loadMs, promptMs, answerMs} = expected
    if (begunMs !== undefined) return this.model.residualMs(answerMs, nowMs - begunMs)
    const beforeMs = loadMs + promptMs - (nowMs - sentMs)
    if (beforeMs >= 0) return beforeMs + answerMs
    return this.model.residualMs(answerMs, -beforeMs)
  }
}

/**
 * The lists by which it is judged whether any node does what is needed. That of the one node that was asked for, whose
 * own refusal says the most; else all, but what an old node leaves open holds only while that node can be asked.
 */
function tagsThatCount({only}: DispatchRequest, {replicas}: ModelState): readonly ModelTag[] {
  return replicas
    .filter(({node, tag, at}) =>
      only === undefined
        ? tag.capabilities !== undefined || !(at.down || at.spec.drained)
        : node === only,
    )
    .map(({tag}) => tag)
}
