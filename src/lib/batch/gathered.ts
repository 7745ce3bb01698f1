type Fields = Readonly<Record<string, unknown>>

/** A streamed answer of Ollama's put together again, as it would have come in one piece. */
export class Gathered {
  #last: Fields = {}
  #response: string | undefined
  #thinking = ''
  #message: Record<string, unknown> | undefined
  readonly #lists: Record<string, unknown[]> = {}

  /** True with the last piece. */
  push(piece: Fields): boolean {
    this.#last = piece
    const {message, response, thinking} = piece
    if (typeof response === 'string') this.#response = (this.#response ?? '') + response
    if (typeof thinking === 'string') this.#thinking += thinking
    // Probabilities of tokens, and what else may come with each piece.
    for (const [name, value] of Object.entries(piece))
      if (Array.isArray(value) && name !== 'context')
        this.#lists[name] = [...(this.#lists[name] ?? []), ...value]
    if (typeof message === 'object' && message !== null) this.#speak(message as Fields)
    return piece.done === true
  }

  /** Without `context`, which nobody reads from a file and which is longer than the answer. */
  whole(): Record<string, unknown> {
    const {context: _, ...last} = this.#last
    return {
      ...last,
      ...this.#lists,
      ...(this.#response === undefined ? {} : {response: this.#response}),
      ...(this.#thinking === '' ? {} : {thinking: this.#thinking}),
      ...(this.#message ? {message: this.#message} : {}),
    }
  }

  #speak(piece: Fields): void {
    this.#message ??= {}
    for (const [name, value] of Object.entries(piece)) {
      const before = this.#message[name]
      if (name === 'role') this.#message[name] = value
      else if (typeof value === 'string' && typeof before === 'string')
        this.#message[name] = before + value
      else if (Array.isArray(value) && Array.isArray(before)) before.push(...value)
      else this.#message[name] = Array.isArray(value) ? [...value] : value
    }
  }
}
