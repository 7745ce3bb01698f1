/** Headers that belong to one connection, or that the gateway sets itself. */
const DROPPED_FROM_NODE = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'date',
])

/**
 * What a node must not see of a client's headers: its connection's, its credentials, and Origin and Host,
 * which Ollama takes for an attack when they are not its own.
 */
const DROPPED_FROM_CLIENT = new Set([
  'host',
  'origin',
  'referer',
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'content-length',
  'authorization',
  'x-api-key',
  'cookie',
])

/** A node's raw headers as name, value, name, value..., without what belongs to its connection. */
export function passedHeaders(raw: readonly string[]): string[] {
  const passed: string[] = []
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = `${raw[at]}`
    if (!DROPPED_FROM_NODE.has(name.toLowerCase())) passed.push(name, `${raw[at + 1]}`)
  }
  return passed
}

/** A client's raw headers as a node may see them. Those of ours stay with us. */
export function forwardedHeaders(raw: readonly string[]): string[] {
  const passed: string[] = []
  let listed = ''
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = `${raw[at]}`.toLowerCase()
    if (name === 'connection') listed += `${raw[at + 1]},`
    if (!DROPPED_FROM_CLIENT.has(name) && !name.startsWith('x-ollamax-'))
      passed.push(name, `${raw[at + 1]}`)
  }
  return USUAL.test(listed) ? passed : without(passed, listed)
}

/** What stands in nearly every Connection header, and names no other one. */
const USUAL = /^((keep-alive|close),)?$/i

/** Connection may list more headers that end with the connection. */
function without(headers: readonly string[], listed: string): string[] {
  const names = new Set(listed.split(',').map((name) => name.trim().toLowerCase()))
  return headers.filter((_, at) => !names.has(`${headers[at - (at % 2)]}`))
}

/** A request's headers with those of its trace (lower case) in the place of the client's own. */
export function withTrace(
  headers: readonly string[],
  trace: Readonly<Record<string, string>> | undefined,
): readonly string[] {
  if (trace?.traceparent === undefined) return headers
  const passed: string[] = []
  for (let at = 0; at + 1 < headers.length; at += 2)
    if (headers[at] !== 'traceparent' && headers[at] !== 'tracestate')
      passed.push(`${headers[at]}`, `${headers[at + 1]}`)
  return passed.concat(...Object.entries(trace))
}

/** True if an answer comes in pieces that are worth something each. */
export function isStream(headers: readonly string[]): boolean {
  for (let at = 0; at + 1 < headers.length; at += 2)
    if (headers[at]?.toLowerCase() === 'content-type')
      return /^(application\/x-ndjson|text\/event-stream)/i.test(headers[at + 1] ?? '')
  return false
}
