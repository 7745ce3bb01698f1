/** An answer other than 200, in Ollama's words. */
export class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Ollama's answer when its queue is full (the two spaces are Ollama's). */
export const BUSY = 'server busy, please try again.  maximum pending requests exceeded'
