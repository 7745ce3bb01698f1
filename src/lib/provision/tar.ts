import {posix} from 'node:path'
import {
  BLOCK,
  parseExtension,
  parseHeader,
  TarError,
  type TarExtension,
  type TarHeader,
} from './tar-header.ts'

/** One entry of a tar archive. */
export interface TarEntry {
  readonly path: string
  readonly kind: 'file' | 'directory' | 'link' | 'other'
  readonly sizeBytes: number
}

const KINDS: Readonly<Record<string, TarEntry['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '5': 'directory',
  '1': 'link',
  '2': 'link',
}
/** Extension headers hold names; nobody's are longer. */
const MAX_EXTENSION = 1024 * 1024

/**
 * Reads the headers of a tar archive (ustar, GNU long names, pax) as its bytes arrive. Gives the first
 * `head` bytes of each file's content with its entry. Throws TarError on what is no tar, and on what
 * would reach out of the directory that it is unpacked in: root unpacks it.
 */
export class TarReader {
  #pending = Buffer.alloc(0)
  /** Bytes of content and padding that still belong to the entry before. */
  #skip = 0
  /** Bytes of it that are kept until all of them are there. */
  #keep: {left: number; readonly chunks: Buffer[]; done(content: Buffer): void} | undefined
  #extension: TarExtension = {}
  #zeros = 0
  readonly #links = new Set<string>()
  readonly #head: number
  readonly #onEntry: (entry: TarEntry, head: Buffer) => void

  constructor(head: number, onEntry: (entry: TarEntry, head: Buffer) => void) {
    this.#head = head
    this.#onEntry = onEntry
  }

  write(chunk: Buffer): void {
    let rest = this.#pending.length ? Buffer.concat([this.#pending, chunk]) : chunk
    this.#pending = Buffer.alloc(0)
    while (rest.length > 0 && this.#zeros < 2) {
      if (this.#skip > 0) {
        const used = Math.min(this.#skip, rest.length)
        this.#content(rest.subarray(0, used))
        this.#skip -= used
        rest = rest.subarray(used)
      } else if (rest.length < BLOCK) {
        this.#pending = Buffer.from(rest)
        return
      } else {
        this.#block(rest.subarray(0, BLOCK))
        rest = rest.subarray(BLOCK)
      }
    }
  }

  /** To be called after the last byte; throws if the archive stops in the middle. */
  end(): void {
    if (this.#skip > 0 || this.#pending.length > 0) throw new TarError('it stops in mid-file')
    if (this.#zeros === 0) throw new TarError('its end is missing')
  }

  #block(block: Buffer): void {
    if (block.every((byte) => byte === 0)) {
      this.#zeros++
      return
    }
    this.#zeros = 0
    const header = parseHeader(block)
    if ('LKxg'.includes(header.type)) this.#extend(header)
    else this.#entry({...header, ...this.#extension})
  }

  #extend({type, sizeBytes}: TarHeader): void {
    if (sizeBytes > MAX_EXTENSION) throw new TarError('it is damaged: a name in it has no end')
    this.#take({size: sizeBytes, keep: sizeBytes}, (content) => {
      if (content.length > 0)
        this.#extension = {...this.#extension, ...parseExtension(type, content)}
    })
  }

  #entry({type, path, target, sizeBytes}: TarHeader): void {
    this.#extension = {}
    if ('346'.includes(type)) throw new TarError(`${path} in it is a device or pipe`)
    const plain = posix.normalize(path).replace(/\/$/, '')
    const parents = plain.split('/').slice(0, -1)
    const through = parents.some((_, i) => this.#links.has(parents.slice(0, i + 1).join('/')))
    const from = type === '2' ? posix.dirname(plain) : '.'
    const leads = KINDS[type] === 'link' && isOut(target, from)
    if (through || leads || isOut(path, '.')) throw new TarError(`${path} in it leads out of it`)
    if (type === '2') this.#links.add(plain)
    const entry = {path, kind: KINDS[type] ?? 'other', sizeBytes}
    const keep = entry.kind === 'file' ? Math.min(this.#head, sizeBytes) : 0
    this.#take({size: sizeBytes, keep}, (head) => this.#onEntry(entry, head))
  }

  /** Tells the first `keep` bytes of the content that follows, once they are there. */
  #take({size, keep}: {size: number; keep: number}, done: (content: Buffer) => void): void {
    this.#skip = Math.ceil(size / BLOCK) * BLOCK
    this.#keep = {left: keep, chunks: [], done}
    this.#content(Buffer.alloc(0))
  }

  #content(bytes: Buffer): void {
    const keep = this.#keep
    if (!keep) return
    const part = Buffer.from(bytes.subarray(0, keep.left))
    keep.chunks.push(part)
    keep.left -= part.length
    if (keep.left > 0) return
    this.#keep = undefined
    keep.done(Buffer.concat(keep.chunks))
  }
}

/** True for a path that, seen from a directory of the archive, is not within the archive. */
function isOut(path: string, from: string): boolean {
  const whole = posix.join(from, path)
  return posix.isAbsolute(path) || whole === '..' || whole.startsWith('../')
}
