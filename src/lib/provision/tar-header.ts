/** Why bytes are no tar archive, not a whole one, or one that must not be unpacked. */
export class TarError extends Error {}

export const BLOCK = 512

/** One header block as it stands, before what extension headers say of it. */
export interface TarHeader {
  /** The format's letter for what kind of entry it is. */
  readonly type: string
  readonly path: string
  /** Of a link: where to. */
  readonly target: string
  readonly sizeBytes: number
}

/** What extension headers (pax, GNU) say of the entry behind them; it goes before the entry's own header. */
export interface TarExtension {
  readonly path?: string
  readonly target?: string
  readonly sizeBytes?: number
}

/** Parses a block that is not all zeros. TarError if its checksum is wrong or a number in it is none. */
export function parseHeader(block: Buffer): TarHeader {
  let sum = 8 * 32
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i] ?? 0
  if (numberAt(block, 148, 8) !== sum) throw new TarError('it is not a tar archive')
  const ustar = block.toString('latin1', 257, 262) === 'ustar'
  const prefix = ustar ? textAt(block, 345, 155) : ''
  return {
    type: String.fromCharCode(block[156] ?? 0),
    path: (prefix ? `${prefix}/` : '') + textAt(block, 0, 100),
    target: textAt(block, 157, 100),
    sizeBytes: sizeFrom(numberAt(block, 124, 12)),
  }
}

/** The content of an extension header; undefined for a type that is none. */
export function parseExtension(type: string, content: Buffer): TarExtension | undefined {
  if (type === 'L') return {path: untilZero(content)}
  if (type === 'K') return {target: untilZero(content)}
  if (type !== 'x') return undefined
  const found: Record<string, string> = {}
  for (let at = 0; at < content.length; ) {
    const [, digits = ''] = /^(\d{1,9}) /.exec(content.toString('latin1', at, at + 10)) ?? []
    const end = at + Number(digits)
    const record = content.toString('utf8', at + digits.length + 1, end - 1)
    const equals = record.indexOf('=')
    if (equals < 0 || content[end - 1] !== 0x0a) throw damaged()
    found[record.slice(0, equals)] = record.slice(equals + 1)
    at = end
  }
  const {path, linkpath, size} = found
  return {
    ...(path === undefined ? {} : {path}),
    ...(linkpath === undefined ? {} : {target: linkpath}),
    ...(size === undefined ? {} : {sizeBytes: sizeFrom(/^\d+$/.test(size) ? Number(size) : NaN)}),
  }
}

const damaged = () => new TarError('it is damaged')

function sizeFrom(value: number): number {
  if (!Number.isSafeInteger(value)) throw damaged()
  return value
}

const untilZero = (bytes: Buffer) => bytes.toString('utf8').replace(/\0.*$/s, '')
const textAt = (block: Buffer, at: number, length: number) =>
  untilZero(block.subarray(at, at + length))

/** Numbers are octal text, or big-endian binary (GNU) for files over 8 GiB. NaN: neither, or negative. */
function numberAt(block: Buffer, at: number, length: number): number {
  if (block[at] === 0x80) {
    let value = 0
    for (let i = at + 1; i < at + length; i++) value = value * 256 + (block[i] ?? 0)
    return value
  }
  const digits = textAt(block, at, length).trim()
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : Number.NaN
}
