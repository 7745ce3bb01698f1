import {checkNodeName} from '../cluster/names.ts'
import type {NodeSpec} from '../cluster/node.ts'
import {OllamaxError} from '../errors.ts'
import {parseDestination} from '../ssh/target.ts'

/** What one word of `node add` means. */
export type AddTarget =
  | {readonly kind: 'ssh'; readonly target: string; readonly base: string}
  | {readonly kind: 'direct'; readonly target: string; readonly url: string; readonly base: string}
  | {readonly kind: 'embedded'; readonly target: string; readonly base: string}

/** Reads a target; BAD_INPUT for what can be none. `base` is where its default name comes from. */
export function parseTarget(word: string): AddTarget {
  if (word === 'embedded') return {kind: 'embedded', target: word, base: 'embedded'}
  if (word === 'local')
    return {kind: 'direct', target: word, url: 'http://127.0.0.1:11434', base: 'local'}
  if (/^https?:\/\//.test(word)) return {kind: 'direct', target: word, ...parseUrl(word)}
  const {host, user} = parseDestination(word)
  if (/\s/.test(word) || user?.includes(':'))
    throw new OllamaxError(
      'BAD_INPUT',
      `the user name in ${JSON.stringify(word.replace(/:[^@]*@/, ':...@'))} has a blank or a colon`,
      {suggestions: ['a password does not belong there: it is asked for, or OLLAMAX_SSH_PASSWORD']},
    )
  return {kind: 'ssh', target: word, base: nameFrom(host)}
}

/** The targets of a file: one a line, or a YAML list of them; `#` begins a comment. */
export function readTargets(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) =>
      line
        .replace(/(^|\s)#.*$/, '')
        .replace(/^\s*-(\s+|$)/, '')
        .trim()
        .replace(/^(["'])(.*)\1$/, '$2'),
    )
    .filter((line) => line !== '' && line !== '---')
}

/** The node that is this target already. */
export function findNode(nodes: readonly NodeSpec[], target: AddTarget): NodeSpec | undefined {
  return nodes.find((node) => {
    if (target.kind === 'ssh') return node.kind === 'ssh' && node.ssh === target.target
    if (target.kind === 'direct') return node.kind === 'direct' && node.url === target.url
    return node.kind === 'embedded'
  })
}

/** `base`, or `base-2`, `base-3`... whichever is free first. */
export function freeName(base: string, taken: ReadonlySet<string>): string {
  if (!taken.has(base)) return base
  for (let n = 2; ; n++) {
    const name = `${base.slice(0, 58)}-${n}`
    if (!taken.has(name)) return name
  }
}

function nameFrom(host: string): string {
  const name = host
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
    .slice(0, 63)
  return checkNodeName(name || 'node')
}

function parseUrl(word: string): {url: string; base: string} {
  let url: URL
  try {
    url = new URL(word)
  } catch {
    throw new OllamaxError('BAD_INPUT', `"${word}" is not a URL`, {
      suggestions: ['for example http://10.0.0.7:11434'],
    })
  }
  if (url.username || url.password)
    throw new OllamaxError(
      'BAD_INPUT',
      'a URL with a password in it would stand in the cluster file',
      {
        suggestions: [
          "give it as a header instead: --header 'Authorization=env:NAME' or =file:PATH",
        ],
      },
    )
  if (url.search || url.hash)
    throw new OllamaxError(
      'BAD_INPUT',
      `"${word}" has a query, which Ollama's API cannot be below of`,
    )
  return {url: url.href.replace(/\/+$/, ''), base: nameFrom(url.hostname.replace(/^\[|\]$/g, ''))}
}
