import cluster, {type Worker} from 'node:cluster'
import type {DispatchRequest} from '../../balancer/dispatch-request.ts'
import {IdTable} from '../../cluster/id-table.ts'
import {OllamaxError} from '../../errors.ts'
import type {PrimaryDesk, ToldError, WorkerDesk} from './desks.ts'
import {Link} from './link.ts'

/** One worker, as long as it lives. */
export interface Hand {
  readonly pid: number
  /** From 1 on; whoever is started in place of another one has the same. */
  readonly place: number
  /** What it has told of itself last. */
  usage: {readonly cpuSeconds: number; readonly residentBytes: number}
  readonly link: Link<WorkerDesk>
  /** Of its requests that the dispatcher knows: the dispatcher's ids by its own. */
  readonly ids: IdTable<number>
  /** What these asked for, by its own ids, until they have ended. */
  readonly asked: IdTable<DispatchRequest>
}

export interface WorkerHooks {
  readonly deskOf: (hand: Hand) => Omit<PrimaryDesk, 'listening' | 'unable'>
  /** Nothing of it is heard any more: its line has ended, which comes at once when it dies. */
  readonly silent: (hand: Hand) => void
}

export interface WorkerProcess extends Hand {
  /** It has said its first word, and can be told everything. */
  readonly greeted: boolean
  /** Resolves when it listens, with where; rejects if it cannot, or ends before. */
  readonly listening: Promise<string>
  /** Resolves when nothing is left of it, with how that came: `exit code 1`, `SIGKILL`. */
  readonly ended: Promise<string>
  kill(): void
}

/** Starts a process that runs `runWorker`. What goes wrong is told by `listening` and `ended`. */
export function forkWorker(place: number, hooks: WorkerHooks): WorkerProcess {
  const worker = cluster.fork()
  const listening = Promise.withResolvers<string>()
  // Who only waits for its end need not hear why it did not listen.
  listening.promise.catch(() => {})
  const desk: Partial<PrimaryDesk> = {}
  const send = (batch: readonly unknown[], done: (error: Error | null) => void) =>
    void worker.send(batch, undefined, undefined, done)
  const hand = {
    pid: worker.process.pid ?? 0,
    place,
    usage: {cpuSeconds: 0, residentBytes: 0},
    link: new Link<WorkerDesk>(send, desk),
    ids: new IdTable<number>(),
    asked: new IdTable<DispatchRequest>(),
    greeted: false,
  }
  const own = hooks.deskOf(hand)
  Object.assign(desk, own, {
    listening: listening.resolve,
    unable: (told: ToldError) => listening.reject(errorOf(told)),
    hello() {
      hand.greeted = true
      return own.hello()
    },
  })
  worker.on('message', (batch) => hand.link.receive(batch))
  const ended = endOf(worker, () => {
    hand.greeted = false
    hand.link.close(new Error(`worker ${hand.pid} has ended`))
    hooks.silent(hand)
  })
  void ended.then((how) =>
    listening.reject(new Error(`worker ${hand.pid} ended before it listened: ${how}`)),
  )
  return Object.assign(hand, {
    listening: listening.promise,
    ended,
    kill: () => void worker.process.kill('SIGKILL'),
  })
}

function endOf(worker: Worker, silent: () => void): Promise<string> {
  const gone = Promise.withResolvers<string>()
  const quiet = Promise.withResolvers<void>()
  worker.once('disconnect', () => {
    silent()
    quiet.resolve()
  })
  worker.once('exit', (code: number, signal: string) => gone.resolve(signal || `exit code ${code}`))
  worker.on('error', (error) => {
    // It could not even be started, so nothing else will be heard of it.
    if (worker.process.pid !== undefined) return
    quiet.resolve()
    gone.resolve(error.message)
  })
  return quiet.promise.then(() => gone.promise)
}

function errorOf({code, message, suggestions, stack}: ToldError): Error {
  if (code !== undefined) return new OllamaxError(code, message, suggestions ? {suggestions} : {})
  return Object.assign(new Error(message), stack === undefined ? {} : {stack})
}
