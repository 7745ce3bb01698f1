/** What one side can be told or asked, by name; arguments and results must survive JSON. */
type Desk<T> = {readonly [name in keyof T]: (...words: never[]) => unknown}
type Words<T, Name extends keyof T> = T[Name] extends (...words: infer W) => unknown ? W : never
type Answer<T, Name extends keyof T> = T[Name] extends (...words: never[]) => infer R
  ? Awaited<R>
  : never

/** `[name, words]` tells, `[name, words, id]` asks; `[null, id, value]` answers, or with a fourth element fails. */
type Frame =
  | readonly [name: string, words: readonly unknown[], id?: number]
  | readonly [name: null, id: number, value: unknown, error?: string]

/** Passes a message on; calls back once it was handed over or cannot be. */
type Send = (batch: readonly unknown[], done: (error: Error | null) => void) => void

/**
 * One end of the line between two processes. What is said within one turn of the event loop goes as one message, in the
 * order in which it was said: a message costs a system call and a wake-up on either side, a word in it next to nothing.
 */
export class Link<Theirs extends Desk<Theirs>> {
  readonly #send: Send
  readonly #mine: Readonly<Record<string, (...words: never[]) => unknown>>
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>()
  #batch: Frame[] = []
  #lastId = 0
  #gone: Error | undefined

  /** `mine`: what the other side can tell and ask this one. */
  constructor(send: Send, mine: object) {
    this.#send = send
    this.#mine = mine as Readonly<Record<string, (...words: never[]) => unknown>>
  }

  /** Tells something. Lost if the other side is gone. */
  tell<Name extends keyof Theirs & string>(name: Name, ...words: Words<Theirs, Name>): void {
    this.#add([name, words as readonly unknown[]])
  }

  /** Asks something. Rejects with what it failed with there, or when the other side is gone. */
  ask<Name extends keyof Theirs & string>(
    name: Name,
    ...words: Words<Theirs, Name>
  ): Promise<Answer<Theirs, Name>> {
    if (this.#gone) return Promise.reject(this.#gone)
    const id = ++this.#lastId
    const waiting = Promise.withResolvers<unknown>()
    this.#asked.set(id, waiting)
    this.#add([name, words as readonly unknown[], id])
    return waiting.promise as Promise<Answer<Theirs, Name>>
  }

  /** Takes a message of the other side. */
  receive(batch: unknown): void {
    for (const frame of batch as readonly Frame[]) {
      if (this.#gone) return
      if (frame[0] === null) this.#answered(frame)
      else this.#called(frame)
    }
  }

  /** Resolves when all that was said has been handed over. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#gone) resolve()
      else this.#send(this.#batch.splice(0), () => resolve())
    })
  }

  /** The other side is gone: nothing is said or heard any more. */
  close(reason: Error): void {
    if (this.#gone) return
    this.#gone = reason
    this.#batch = []
    for (const {reject} of this.#asked.values()) reject(reason)
    this.#asked.clear()
  }

  #called([name, words, id]: Extract<Frame, readonly [string, ...unknown[]]>): void {
    const call = this.#mine[name]
    if (id === undefined) {
      call?.(...(words as never[]))
      return
    }
    const done = async () => call?.(...(words as never[]))
    done().then(
      (value) => this.#add([null, id, value]),
      (error: unknown) => this.#add([null, id, null, String(error)]),
    )
  }

  #answered([, id, value, error]: Extract<Frame, readonly [null, ...unknown[]]>): void {
    const waiting = this.#asked.get(id)
    this.#asked.delete(id)
    // JSON has no undefined.
    if (error === undefined) waiting?.resolve(value ?? undefined)
    else waiting?.reject(new Error(error))
  }

  #add(frame: Frame): void {
    if (this.#gone) return
    if (this.#batch.length === 0) setImmediate(() => this.#hand())
    this.#batch.push(frame)
  }

  #hand(): void {
    const batch = this.#batch
    if (batch.length === 0) return
    this.#batch = []
    // A side that is gone is noticed by its end, not by what it did not take.
    this.#send(batch, () => {})
  }
}
