import type {Outcome, Patience} from '../balancer/dispatch-request.ts'
import type {Failure} from '../balancer/verdict.ts'
import {OllamaxError} from '../errors.ts'
import {wordsOf} from '../ollama/errors.ts'
import type {UpstreamControl, UpstreamHandler} from '../ollama/upstream.ts'
import {MarkerWatch} from './dialects/marker.ts'
import {statsOf} from './dialects/usage.ts'
import {isWhole} from './dialects/whole.ts'
import type {Exchange} from './exchange.ts'
import {isStream, passedHeaders} from './headers.ts'
import {joined} from './joined.ts'
import type {Call} from './route.ts'
import type {Thread} from './thread.ts'
import {WholeFrames} from './whole-frames.ts'

/** A node's answer that is an error, kept until it is clear that nobody else does better. */
export interface NodeReply {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: Buffer
}

/** Who hears how an attempt goes. */
export interface AttemptHooks {
  /** A 2xx head has arrived. */
  began(): void
  /** Called once. `reply`: the node's own error, to be passed on if it stays the last word. */
  settled(outcome: Outcome, reply?: NodeReply): void
}

/** A whole answer up to this size is held back until its end, so that another node can still take over. */
const HELD_BYTES = 1024 * 1024
const MAX_ERROR_BYTES = 256 * 1024

/** One node's try at one request: what comes is passed to the client from the moment that it counts. */
export class Attempt implements UpstreamHandler {
  readonly #exchange: Exchange
  readonly #call: Call
  readonly #hooks: AttemptHooks
  readonly #patience: Patience
  readonly #sentMs: number
  /** The node has taken all of the request, and its answer has ended. */
  taken = false
  #control: UpstreamControl | undefined
  #status = 0
  #headers: readonly string[] = []
  #mode: 'waiting' | 'stream' | 'whole' | 'error' = 'waiting'
  #marker: MarkerWatch | undefined
  #frames: WholeFrames | undefined
  #held: Buffer[] = []
  #heldBytes = 0
  #last: Buffer | undefined
  /** The counts may stand in a piece of their own before the marker. */
  #beforeLast: Buffer | undefined
  #pieces = 0
  #firstMs = 0
  #heardMs: number
  /** The client has not taken yet what it was sent. */
  #blocked = false
  #over = false
  /** Of its pieces, those that were counted already, see `AnswerMeter`. */
  counted = 0
  readonly #thread: Thread | undefined

  constructor(
    exchange: Exchange,
    {
      call,
      patience,
      nowMs,
      thread,
    }: {
      readonly call: Call
      readonly patience: Patience
      readonly nowMs: number
      /** Kept where another node may take the answer up. */
      readonly thread?: Thread | undefined
    },
    hooks: AttemptHooks,
  ) {
    this.#exchange = exchange
    this.#call = call
    this.#patience = patience
    this.#sentMs = nowMs
    this.#heardMs = nowMs
    this.#hooks = hooks
    this.#thread = thread
  }

  /** Pieces of a stream that have come so far: tokens, about. */
  get pieces(): number {
    return this.#mode === 'stream' ? this.#pieces : 0
  }

  /** Something of this attempt has reached the client. */
  get begun(): boolean {
    return this.#exchange.begun
  }

  started(control: UpstreamControl): void {
    if (this.#over) control.abort()
    else this.#control = control
  }

  head(status: number, rawHeaders: readonly string[]): void {
    this.#heardMs = performance.now()
    this.#status = status
    this.#headers = passedHeaders(rawHeaders)
    if (status >= 300) this.#mode = 'error'
    else {
      this.#mode = isStream(this.#headers) ? 'stream' : 'whole'
      if (this.#mode === 'stream') {
        this.#marker = new MarkerWatch(this.#exchange.dialect, this.#call)
        this.#frames = new WholeFrames(this.#exchange.dialect)
      }
      this.#hooks.began()
    }
  }

  data(chunk: Buffer): void {
    if (this.#over) return
    this.#heardMs = performance.now()
    if (this.#mode === 'stream') this.#streamed(chunk)
    else this.#hold(chunk)
  }

  #streamed(chunk: Buffer): void {
    const marker = this.#marker
    marker?.push(chunk)
    if (this.#pieces === 0) {
      this.#firstMs = this.#heardMs
      // The failure came before the first word: somebody else may still answer.
      if (marker?.end === 'error' && !this.begun) {
        this.#fail({kind: 'line', words: wordsIn(chunk)}, true)
        return
      }
    }
    this.#pieces++
    this.#beforeLast = this.#last
    this.#last = chunk
    const whole = this.#frames?.push(chunk) ?? chunk
    if (whole.length > 0) this.#tell(this.#thread?.push(whole) ?? whole)
    if (marker?.end === 'error' && this.#thread?.continues)
      this.#fail({kind: 'line', words: wordsIn(chunk)}, true)
  }

  #tell(told: Buffer): void {
    if (told.length === 0) return
    this.#open()
    this.#write(told)
  }

  #open(): void {
    const {response} = this.#exchange
    this.#exchange.firstByteMs ??= this.#heardMs - this.#exchange.startedMs
    this.#exchange.begun = true
    if (response.headersSent) return
    this.#exchange.streams = this.#mode === 'stream'
    this.#exchange.head(this.#status, this.#headers)
  }

  #write(chunk: Buffer): void {
    const {response} = this.#exchange
    this.#exchange.bytesOut += chunk.length
    if (response.write(chunk) || this.#blocked) return
    this.#control?.pause()
    this.#blocked = true
    response.once('drain', () => {
      this.#blocked = false
      this.#heardMs = performance.now()
      this.#control?.resume()
    })
  }

  #hold(chunk: Buffer): void {
    this.#heldBytes += chunk.length
    if (this.#mode === 'error') {
      if (this.#heldBytes <= MAX_ERROR_BYTES) this.#held.push(chunk)
      return
    }
    this.#pieces = 1
    this.#beforeLast = this.#last
    this.#last = chunk
    if (this.#firstMs === 0) this.#firstMs = this.#heardMs
    if (this.begun) {
      this.#write(chunk)
      return
    }
    this.#held.push(chunk)
    if (this.#heldBytes <= HELD_BYTES) return
    this.#open()
    for (const held of this.#held.splice(0)) this.#write(held)
  }

  end(taken: boolean): void {
    if (this.#over) return
    this.taken = taken
    if (this.#mode === 'error') this.#refused()
    else if (this.#mode === 'stream') this.#streamEnded()
    else this.#wholeEnded()
  }

  #wholeEnded(): void {
    const {response, dialect} = this.#exchange
    const body = this.begun ? this.#tail() : joined(this.#held)
    if (!isWhole({dialect, call: this.#call}, body, !this.begun)) {
      this.#fail({kind: 'cut'}, false)
      return
    }
    this.#finish()
    if (this.begun) response.end()
    else {
      const {length} = body
      this.#exchange.firstByteMs ??= this.#firstMs - this.#exchange.startedMs
      this.#exchange.bytesOut += length
      this.#exchange.begun = true
      // Status lines may have been sent with a head of their own: then it is one more line.
      if (!response.headersSent)
        this.#exchange.head(this.#status, [...this.#headers, 'Content-Length', `${length}`])
      response.end(body)
    }
    this.#settle({kind: 'ok', stats: this.#stats()})
  }

  #streamEnded(): void {
    const end = this.#marker?.end
    if (end !== 'cut' && this.#frames) this.#tell(this.#frames.rest())
    if (end === 'whole') {
      this.#finish()
      this.#exchange.response.end()
      this.#settle({kind: 'ok', stats: this.#stats()})
    } else if (end === 'error') {
      // The node has told its own error in its own words; they have been passed on.
      this.#finish()
      this.#exchange.response.end()
      const words = this.#last ? wordsIn(this.#last) : ''
      this.#settle({kind: 'failed', failure: {kind: 'line', words}, begun: true})
    } else this.#fail({kind: 'cut'}, false)
  }

  #refused(): void {
    const body = Buffer.concat(this.#held)
    const words = wordsOf(body.toString('utf8'))
    this.#finish()
    this.#settle(
      {
        kind: 'failed',
        failure: {kind: 'reply', status: this.#status, words},
        begun: this.begun,
      },
      {status: this.#status, headers: this.#headers, body},
    )
  }

  fail(error: unknown): void {
    if (this.#over) return
    const late = OllamaxError.is(error, 'TIMEOUT')
    const broke = this.#status > 0
    this.#fail(broke ? {kind: 'cut'} : {kind: late ? 'timeout' : 'unreachable'}, false)
  }

  /** Looks at the clock: a node that says nothing for too long hangs, unless it is the client that is slow. */
  check(nowMs: number): void {
    if (this.#over || this.#blocked) return
    const waiting = this.#mode === 'waiting'
    const limit = waiting ? this.#patience.firstByteMs : this.#patience.gapMs
    if (limit > 0 && nowMs - (waiting ? this.#sentMs : this.#heardMs) > limit)
      this.#fail({kind: 'timeout'}, true)
  }

  /** The client has left, or the gateway ends. */
  abort(): void {
    if (this.#over) return
    this.#finish()
    this.#control?.abort()
  }

  #fail(failure: Failure, abort: boolean): void {
    const {begun} = this
    this.#finish()
    if (abort) this.#control?.abort()
    if (begun && !this.#thread?.continues) this.#breakOff(failure)
    this.#settle({kind: 'failed', failure, begun})
  }

  /** After the first byte nobody can take over unseen; the client is told, in a way that it understands. */
  #breakOff(failure: Failure): void {
    const what = failure.kind === 'timeout' ? 'stopped answering' : 'broke off'
    const message = `node ${this.#exchange.node} ${what} in the middle of the answer`
    this.#exchange.breakOff({status: 502, message})
  }

  #finish(): void {
    this.#over = true
  }

  #settle(outcome: Outcome, reply?: NodeReply): void {
    this.#hooks.settled(outcome, reply)
  }

  #stats() {
    const {dialect} = this.#exchange
    const streamed = this.#mode === 'stream'
    const measured = {
      pieces: streamed ? this.#pieces : 0,
      answerMs: this.#heardMs - this.#firstMs,
    }
    return statsOf(dialect, this.#tail(), measured)
  }

  /** The last two pieces. */
  #tail(): Buffer {
    return joined([this.#beforeLast, this.#last].filter((piece) => piece !== undefined))
  }
}

/** The message in an error line, of whatever dialect. */
function wordsIn(chunk: Buffer): string {
  const text = chunk.toString('utf8', 0, Math.min(chunk.length, MAX_ERROR_BYTES))
  const json = text.slice(text.indexOf('{'))
  const line = json.indexOf('\n')
  return wordsOf(line < 0 ? json : json.slice(0, line))
}
