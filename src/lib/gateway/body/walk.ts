const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const COMMA = 0x2c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
/** More fields than any API has. */
const MOST_FIELDS = 200
const LONGEST_NAME = 200

/** Where a field's value stands in the body: from its first byte to behind its last one. */
export interface Place {
  readonly spelt: string
  readonly start: number
  readonly end: number
}

/** The fields of one JSON object, by name in lower case, as Ollama (Go) compares names. */
export interface Fields {
  /** Just behind the opening brace. */
  readonly inside: number
  readonly places: ReadonlyMap<string, Place>
  /** Fields that stand there in two spellings: Go would take the later one. */
  readonly doubled: ReadonlySet<string>
  /** Bytes of the longest text in it. */
  readonly longest: number
}

/**
 * Finds the fields of the object that begins at `from`, without parsing their values: texts are skipped by a
 * native search for their end, so that 128 KiB of chat cost some ten microseconds where parsing takes 150.
 * Exact for valid JSON; undefined for what is none as far as can be seen, or has too many fields.
 */
export function walk(body: Buffer, from = 0): Fields | undefined {
  const state = {at: skipSpace(body, from), longest: 0}
  if (body[state.at] !== OPEN_BRACE) return undefined
  const inside = ++state.at
  const places = new Map<string, Place>()
  const doubled = new Set<string>()
  state.at = skipSpace(body, state.at)
  if (body[state.at] === CLOSE_BRACE) return {inside, places, doubled, longest: 0}
  for (let count = 0; count < MOST_FIELDS; count++) {
    const spelt = nameAt(body, state.at)
    if (spelt === undefined) return undefined
    const colon = skipSpace(body, spelt.end)
    if (body[colon] !== COLON) return undefined
    const start = skipSpace(body, colon + 1)
    state.at = start
    if (!skipValue(body, state)) return undefined
    const key = spelt.name.toLowerCase()
    const before = places.get(key)
    if (before && before.spelt !== spelt.name) doubled.add(key)
    places.set(key, {spelt: spelt.name, start, end: state.at})
    state.at = skipSpace(body, state.at)
    const next = body[state.at]
    if (next === CLOSE_BRACE) return {inside, places, doubled, longest: state.longest}
    if (next !== COMMA) return undefined
    state.at = skipSpace(body, state.at + 1)
  }
  return undefined
}

interface State {
  at: number
  longest: number
}

function nameAt(body: Buffer, at: number): {name: string; end: number} | undefined {
  if (body[at] !== QUOTE) return undefined
  const end = textEnd(body, at)
  if (end < 0 || end - at > LONGEST_NAME) return undefined
  const raw = body.toString('utf8', at + 1, end - 1)
  // A name may be written in escapes.
  return {name: raw.includes('\\') ? String(JSON.parse(`"${raw}"`)) : raw, end}
}

/** Moves behind the value that begins there; false if the body ends before. */
function skipValue(body: Buffer, state: State): boolean {
  const first = body[state.at]
  if (first === QUOTE) return skipText(body, state)
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return skipWord(body, state)
  let depth = 0
  while (state.at < body.length) {
    const byte = body[state.at]
    if (byte === QUOTE) {
      if (!skipText(body, state)) return false
      continue
    }
    state.at++
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) return true
  }
  return false
}

function skipText(body: Buffer, state: State): boolean {
  const end = textEnd(body, state.at)
  if (end < 0) return false
  state.longest = Math.max(state.longest, end - state.at)
  state.at = end
  return true
}

/** Behind the closing quote of the text whose opening quote stands at `at`; -1 if there is none. */
function textEnd(body: Buffer, at: number): number {
  for (let quote = nextQuote(body, at + 1); quote >= 0; quote = nextQuote(body, quote + 1)) {
    let slash = quote - 1
    while (body[slash] === BACKSLASH) slash--
    if ((quote - 1 - slash) % 2 === 0) return quote + 1
  }
  return -1
}

/** Names and words are short: for these a native search takes longer to call than to do. */
const NEAR_BYTES = 12

function nextQuote(body: Buffer, from: number): number {
  const near = Math.min(body.length, from + NEAR_BYTES)
  for (let at = from; at < near; at++) if (body[at] === QUOTE) return at
  return body.indexOf(QUOTE, near)
}

/** A number, true, false or null. */
function skipWord(body: Buffer, state: State): boolean {
  const start = state.at
  for (let byte = body[state.at]; byte !== undefined; byte = body[++state.at]) {
    if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte <= 32) break
  }
  return state.at > start
}

function skipSpace(body: Buffer, from: number): number {
  let at = from
  for (let byte = body[at]; byte !== undefined && byte <= 32; ) byte = body[++at]
  return at
}
