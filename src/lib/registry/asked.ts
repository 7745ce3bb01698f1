import {parseModelName, shortModelName} from '../cluster/model-name.ts'

/** A model as the path of a registry names it. */
export interface RegistryName {
  readonly namespace: string
  readonly model: string
}

/** What a client of a registry asks for, by its path. */
export type RegistryAsked =
  /** Whether it is a registry. */
  | {readonly kind: 'root'}
  | {readonly kind: 'manifest'; readonly name: RegistryName; readonly tag: string}
  /** `digest`: `sha256:` and 64 hex digits. */
  | {readonly kind: 'blob'; readonly name: RegistryName; readonly digest: string}
  | {readonly kind: 'unknown'}

const PATH = /^\/v2\/([^/]+)\/([^/]+)\/(manifests|blobs)\/([^/]+)$/
const DIGEST = /^sha256:[0-9a-f]{64}$/

/** Never fails: what is no such path, or names what no model can be called, is `unknown`. */
export function askedOf(path: string): RegistryAsked {
  if (/^\/v2\/?$/.test(path)) return {kind: 'root'}
  const [, namespace = '', model = '', what, last = ''] = PATH.exec(path) ?? []
  if (what === undefined) return {kind: 'unknown'}
  const name = {namespace, model}
  if (what === 'blobs')
    return parseModelName(nameOf(name, 'x')) && DIGEST.test(last)
      ? {kind: 'blob', name, digest: last}
      : {kind: 'unknown'}
  return parseModelName(nameOf(name, last))
    ? {kind: 'manifest', name, tag: last}
    : {kind: 'unknown'}
}

/** As people and nodes name it, if it comes from Ollama's own registry. */
export const nameOf = ({namespace, model}: RegistryName, tag: string): string =>
  shortModelName(`${namespace}/${model}:${tag}`)

/** A part of a file: from this byte on, so many. */
export interface Part {
  readonly from: number
  readonly length: number
}

/**
 * The part that a Range header asks for; undefined without one, or with one of a kind that may be passed over (several
 * parts, other units); `outside` where there is no such part.
 */
export function partOf(range: string | undefined, sizeBytes: number): Part | undefined | 'outside' {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range ?? '') ?? []
  if (first === '' && last === '') return undefined
  if (first === '') {
    const length = Math.min(Number(last), sizeBytes)
    return length > 0 ? {from: sizeBytes - length, length} : 'outside'
  }
  const from = Number(first)
  const to = last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1)
  if (last !== '' && Number(last) < from) return undefined
  return from < sizeBytes ? {from, length: to - from + 1} : 'outside'
}
