/** One entry's header in a tar archive. */
export interface TarEntry {
  readonly path: string
  readonly kind: 'file' | 'directory' | 'link' | 'other'
  readonly sizeBytes: number
}

const BLOCK = 512

/** Why bytes are no tar archive, or not a whole one. */
export class TarError extends Error {}

/**
 * Reads the headers of a tar archive (ustar, GNU long names, pax paths) as its bytes arrive. Gives the
 * first `head` bytes of each file's content with its entry. Throws TarError on what is no tar.
 */
export class TarReader {
  #pending = Buffer.alloc(0)
  /** Bytes of content and padding that still belong to the entry before. */
  #skip = 0
  #take: {entry: TarEntry; left: number; chunks: Buffer[]} | undefined
  #name: {kind: 'gnu' | 'pax'; left: number; chunks: Buffer[]} | undefined
  #longPath: string | undefined
  #zeros = 0
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
        if (this.#skip === 0) this.#finish()
      } else if (rest.length < BLOCK) {
        this.#pending = Buffer.from(rest)
        return
      } else {
        this.#header(rest.subarray(0, BLOCK))
        rest = rest.subarray(BLOCK)
      }
    }
  }

  /** To be called after the last byte; throws if the archive stops in the middle. */
  end(): void {
    if (this.#skip > 0 || this.#pending.length > 0) throw new TarError('it stops in mid-file')
    if (this.#zeros === 0) throw new TarError('its end is missing')
  }

  #header(block: Buffer): void {
    if (block.every((byte) => byte === 0)) {
      this.#zeros++
      return
    }
    this.#zeros = 0
    const sum = octal(block, 148, 8)
    let actual = 8 * 32
    for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) actual += block[i] ?? 0
    if (sum !== actual) throw new TarError('it is not a tar archive')
    const type = String.fromCharCode(block[156] ?? 0)
    const sizeBytes = octal(block, 124, 12)
    this.#skip = Math.ceil(sizeBytes / BLOCK) * BLOCK
    if (type === 'L' || type === 'x') {
      this.#name = {kind: type === 'L' ? 'gnu' : 'pax', left: sizeBytes, chunks: []}
      return
    }
    if (type === 'g') return
    const ustar = block.toString('latin1', 257, 262) === 'ustar'
    const prefix = ustar ? text(block, 345, 155) : ''
    const path = this.#longPath ?? (prefix ? `${prefix}/` : '') + text(block, 0, 100)
    this.#longPath = undefined
    const kinds: Record<string, TarEntry['kind']> = {
      '0': 'file',
      '\0': 'file',
      '5': 'directory',
      '1': 'link',
      '2': 'link',
    }
    const kind = kinds[type] ?? 'other'
    const entry = {path, kind, sizeBytes}
    if (kind === 'file' && sizeBytes > 0)
      this.#take = {entry, left: Math.min(this.#head, sizeBytes), chunks: []}
    else this.#onEntry(entry, Buffer.alloc(0))
  }

  #content(bytes: Buffer): void {
    const into = this.#name ?? this.#take
    if (!into || into.left === 0) return
    const part = Buffer.from(bytes.subarray(0, into.left))
    into.chunks.push(part)
    into.left -= part.length
    if (this.#take && this.#take.left === 0) this.#finish()
  }

  #finish(): void {
    if (this.#name) {
      const value = Buffer.concat(this.#name.chunks).toString('utf8')
      this.#longPath =
        this.#name.kind === 'gnu'
          ? value.replace(/\0.*$/s, '')
          : (/^\d+ path=(.*)$/m.exec(value)?.[1] ?? this.#longPath)
      this.#name = undefined
    } else if (this.#take) {
      this.#onEntry(this.#take.entry, Buffer.concat(this.#take.chunks))
      this.#take = undefined
    }
  }
}

const text = (block: Buffer, at: number, length: number) =>
  block.toString('utf8', at, at + length).replace(/\0.*$/s, '')

/** Numbers are octal text, or big-endian binary (GNU) for files over 8 GiB. */
function octal(block: Buffer, at: number, length: number): number {
  if ((block[at] ?? 0) & 0x80) {
    let value = 0
    for (let i = at + 1; i < at + length; i++) value = value * 256 + (block[i] ?? 0)
    return value
  }
  const digits = text(block, at, length).trim()
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}
