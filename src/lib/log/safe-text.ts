/** Ends a foreign text in a log line; names are far shorter. */
const MAX_CHARS = 256

/** Letters that names are made of: nothing to escape, and much faster to find out than to escape. */
const PLAIN = /^[\w .,:;/+@=()#*-]*$/
/** What JSON lets through and a terminal or a reader may obey or be misled by: DEL, C1, line ends, marks of direction. */
const MISLEADING = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** A foreign text as a JSON string without any control character, cut to 256 characters. */
export function quoted(text: string): string {
  const short = text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}...` : text
  return PLAIN.test(short) ? `"${short}"` : escapeMisleading(JSON.stringify(short))
}

/** Escapes what `JSON.stringify` leaves; the JSON says the same as before. */
export function escapeMisleading(json: string): string {
  return json.replace(
    MISLEADING,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** A foreign text for a person's eyes: control characters show as escapes, and it stays on its line. */
export function printable(text: string): string {
  return PLAIN.test(text)
    ? text
    : escapeMisleading(JSON.stringify(text)).slice(1, -1).replaceAll('\\"', '"')
}

/** Where a key may stand in a path, a URL or a header; a model's name may hold `/t/` too, but does not begin so. */
const SECRET_PATH = /((?:^|[\s"'=(]|:\/\/[^/\s"]+)\/t\/)[^/?\s"'\\]+/g
const SECRET_HEADER = /((?:bearer|x-api-key\\?["']?[:=]?)\s*\\?["']?)[\w.~+/=-]{6,}/gi

/** The text without keys. A net under those who must not pass any: routes instead of paths, ids instead of keys. */
export function withoutSecrets(text: string): string {
  return text.replace(SECRET_PATH, '$1***').replace(SECRET_HEADER, '$1***')
}
