/** Reads the data types of RFC 4251 one after another; each throws RangeError where the data ends too soon. */
export interface FieldReader {
  /** Bytes read so far. */
  readonly at: number
  /** True if nothing is left. */
  readonly done: boolean
  bytes(length: number): Buffer
  uint32(): number
  uint64(): bigint
  /** The contents of a `string` (an `mpint` has the same frame). */
  string(): Buffer
  /** A `string` of text. */
  text(): string
  /** The names of a `name-list`. */
  names(): string[]
}

/** Starts at the head of `data`, which is not copied. */
export function readFields(data: Buffer): FieldReader {
  let at = 0
  const bytes = (length: number): Buffer => {
    if (length > data.length - at) throw new RangeError('the data ends in mid-field')
    at += length
    return data.subarray(at - length, at)
  }
  const string = () => bytes(bytes(4).readUInt32BE())
  const text = () => string().toString('utf8')
  return {
    get at() {
      return at
    },
    get done() {
      return at === data.length
    },
    bytes,
    uint32: () => bytes(4).readUInt32BE(),
    uint64: () => bytes(8).readBigUInt64BE(),
    string,
    text,
    names: () => text().split(','),
  }
}

/** A `string` in wire form. */
export function packString(value: Buffer | string): Buffer {
  const bytes = Buffer.from(value)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** A positive whole number, most significant byte first, as an `mpint`. */
export function packNumber(value: Buffer): Buffer {
  const digits = withoutZeros(value)
  const high = (digits[0] ?? 0) >= 0x80
  return packString(high ? Buffer.concat([Buffer.alloc(1), digits]) : digits)
}

/** The number of an `mpint` without its leading zeros. */
export function withoutZeros(value: Buffer): Buffer {
  const from = value.findIndex((byte) => byte !== 0)
  return from < 0 ? Buffer.alloc(0) : value.subarray(from)
}
