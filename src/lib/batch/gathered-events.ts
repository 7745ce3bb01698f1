type Fields = Readonly<Record<string, unknown>>
type Loose = Record<string, unknown>

/** Fields of a piece that go on what came before; all others replace it. */
const TEXTS = new Set(['arguments', 'content', 'reasoning', 'reasoning_content', 'refusal', 'text'])
/** What tells the whole response by itself. */
const RESPONSES = new Set(['response.completed', 'response.incomplete'])

/** A streamed answer of OpenAI's API put together again, as it would have come in one piece. */
export class GatheredEvents {
  #head: Fields = {}
  readonly #choices: Loose[] = []
  #usage: unknown
  #response: Fields | undefined

  /** An event's data; `[DONE]` is none of them. */
  push(event: Fields): void {
    if (typeof event.type === 'string') {
      if (RESPONSES.has(event.type) && isObject(event.response)) this.#response = event.response
      return
    }
    const {choices, usage, ...head} = event
    this.#head = {...this.#head, ...head}
    if (usage) this.#usage = usage
    if (Array.isArray(choices)) addByIndex(this.#choices, choices)
  }

  /** True: the answer has come to its end without `[DONE]`, which responses do not have. */
  get ended(): boolean {
    return this.#response !== undefined
  }

  whole(): Record<string, unknown> {
    if (this.#response) return {...this.#response}
    const {object} = this.#head
    return {
      ...this.#head,
      ...(typeof object === 'string' ? {object: object.replace(/\.chunk$/, '')} : {}),
      choices: this.#choices.map(({delta, ...choice}) =>
        delta === undefined ? choice : {...choice, message: delta},
      ),
      ...(this.#usage === undefined ? {} : {usage: this.#usage}),
    }
  }
}

/** What has an `index` goes to the one of that index. */
function addByIndex(to: Loose[], pieces: readonly unknown[]): void {
  for (const piece of pieces) {
    if (!isObject(piece)) continue
    const known = to.find(({index}) => index === piece.index)
    const target = known ?? {}
    if (!known) to.push(target)
    add(target, piece)
  }
}

function add(to: Loose, piece: Fields): void {
  for (const [name, value] of Object.entries(piece)) {
    const before = to[name]
    if (typeof value === 'string' && TEXTS.has(name))
      to[name] = typeof before === 'string' ? before + value : value
    else if (Array.isArray(value)) {
      const list = Array.isArray(before) ? before : []
      to[name] = list
      if (value.every((one) => isObject(one) && 'index' in one)) addByIndex(list, value)
      else list.push(...value)
    } else if (isObject(value)) {
      const inner = isObject(before) ? (before as Loose) : {}
      to[name] = inner
      add(inner, value)
    } else if (value !== null || before === undefined) to[name] = value
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
