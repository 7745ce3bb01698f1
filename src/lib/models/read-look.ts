import {SUDO_KINDS, type SudoKind} from '../provision/facts.ts'
import type {Blob} from './manifest.ts'

/** What LOOK saw of a store. */
export interface Look {
  readonly dir: string
  readonly uid: number
  readonly sudo: SudoKind
  /** `uid:gid` that its files have, or would have. */
  readonly owner: string
  /** The directory was seen; false also where the account may not look there. */
  readonly exists: boolean
  readonly readable: boolean
  readonly writable: boolean
  /** Absent: unknown. */
  readonly freeBytes?: number
  readonly availableMemoryBytes?: number
  /** Whole files, by digest. */
  readonly blobs: ReadonlyMap<string, Blob>
  /** What an earlier copy of ours left: bytes by digest. */
  readonly parts: ReadonlyMap<string, number>
  /** The bytes of the manifests that were asked for, by path. */
  readonly manifests: ReadonlyMap<string, Buffer>
}

/** Reads what LOOK printed; undefined if that is not whole. */
export function readLook(output: string): Look | undefined {
  const lines = output.split('\n').map((line): [string, string] => {
    const at = line.indexOf('=')
    return at < 0 ? ['', line] : [line.slice(0, at), line.slice(at + 1)]
  })
  const all = (key: string) => lines.filter(([name]) => name === key).map(([, value]) => value)
  const one = (key: string) => all(key)[0]
  const kib = (key: string) => (/^\d+$/.test(one(key) ?? '') ? Number(one(key)) * 1024 : undefined)
  const dir = one('dir')
  const owner = one('owner') ?? ''
  if (one('end') !== '1' || !dir?.startsWith('/') || !/^\d+:\d+$/.test(owner)) return undefined
  const files = all('blob').flatMap((line) => {
    const [, hex, part, size] = /^sha256-([0-9a-f]{64})(\.ollamax)? (\d+)$/.exec(line) ?? []
    return hex ? [{digest: `sha256:${hex}`, part: part !== undefined, sizeBytes: Number(size)}] : []
  })
  const freeBytes = kib('free')
  const availableMemoryBytes = kib('available')
  return {
    dir: dir.replace(/\/+$/, ''),
    uid: Number(one('uid')),
    sudo: SUDO_KINDS.find((kind) => kind === one('sudo')) ?? 'absent',
    owner,
    exists: one('exists') === '1',
    readable: one('readable') === '1',
    writable: one('writable') === '1',
    ...(freeBytes === undefined ? {} : {freeBytes}),
    ...(availableMemoryBytes === undefined ? {} : {availableMemoryBytes}),
    blobs: new Map(
      files.filter((f) => !f.part).map(({digest, sizeBytes}) => [digest, {digest, sizeBytes}]),
    ),
    parts: new Map(files.filter((f) => f.part).map((f) => [f.digest, f.sizeBytes])),
    manifests: new Map(
      all('manifest').map((line) => {
        const at = line.lastIndexOf(' ')
        return [line.slice(0, at), Buffer.from(line.slice(at + 1), 'base64')]
      }),
    ),
  }
}
