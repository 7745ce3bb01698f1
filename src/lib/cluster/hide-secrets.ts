/** A word that ends in one of these names a secret: `API_KEY=...`, `--token ...`, `X-Api-Key: ...`. */
const NAME =
  '[\\w.-]{0,40}(?:token|secret|passw(?:or)?d|passphrase|pwd|api[-_]?key|access[-_]?key|private[-_]?key|credentials?)'
/** A quote that is not closed was cut off with the rest of the text. */
const VALUE = `"[^"]*(?:"|$)|'[^']*(?:'|$)|[^\\s'"&;|]+`
const ASSIGNED = new RegExp(`(${NAME}['"]?\\s{0,4}[=:]\\s{0,4})(?:${VALUE})`, 'gi')
const FLAG = new RegExp(`((?:^|\\s)--?${NAME}\\s{1,4})(?![=:])(?:${VALUE})`, 'gi')
const SCHEME = /(\b(?:bearer|basic)\s{1,4})[\w.~+/=-]{4,}/gi
const IN_URL = /(:\/\/[^/\s:@'"]{0,200}:)[^@/\s'"]+(?=@)/g
/** Keys of well-known services, whatever stands before them. */
const KNOWN = /\b(?:sk-|ghp_|gho_|github_pat_|glpat-|xox[abp]-|hf_|AKIA)[\w-]{8,}/g
const HIDDEN = '***'
/** What is longer is cut before it is looked at: time must not grow with the square of a hostile text. */
const MAX_CHARS = 4000

/**
 * The text (4000 characters at most) without the values that look like secrets, for a log that outlives the
 * command. A net, no proof: a password that stands alone among other words cannot be told from them.
 */
export function hideSecrets(text: string): string {
  return text
    .slice(0, MAX_CHARS)
    .replace(SCHEME, `$1${HIDDEN}`)
    .replace(ASSIGNED, `$1${HIDDEN}`)
    .replace(FLAG, `$1${HIDDEN}`)
    .replace(IN_URL, `$1${HIDDEN}`)
    .replace(KNOWN, HIDDEN)
}
