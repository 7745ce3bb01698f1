import {type FileHandle, open} from 'node:fs/promises'
import {messageOf, OllamaxError} from '../../errors.ts'

/** A metadata value of a GGUF file; of an array only its length is kept (vocabularies are large). */
export type GgufValue = string | number | boolean | {readonly arrayLength: number}

/** What the header of a GGUF file says about the model in it. */
export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>
  /** Sum of the elements of all tensors. */
  readonly parameters: number
  readonly sizeBytes: number
}

/** Sizes in bytes of the fixed-width types by their number in the format; 8 = string, 9 = array. */
const WIDTH: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
}
const STRING = 8
const ARRAY = 9
/** Of all texts that are kept; of a real model they are some hundred kilobytes. */
const MAX_TEXT = 32 * 1024 * 1024
/** No format takes less than a bit for a weight. */
const WEIGHTS_PER_BYTE = 8
const CHUNK = 1024 * 1024

/**
 * Reads the header of a GGUF file, never its weights. BAD_INPUT if the file cannot be read, is no
 * GGUF, or is cut or damaged within the header.
 */
export async function readGguf(path: string): Promise<GgufHeader> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    throw new OllamaxError('BAD_INPUT', `cannot read the model file ${path}: ${messageOf(error)}`, {
      suggestions: ['give the path of a GGUF file that this account may read'],
      cause: error,
    })
  }
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw notGguf(path, 'it is not a plain file')
    return await readHeader(new Cursor(file, path, stat.size), stat.size)
  } finally {
    await file.close()
  }
}

async function readHeader(cursor: Cursor, sizeBytes: number): Promise<GgufHeader> {
  const magic = (await cursor.take(4)).toString('latin1')
  if (magic !== 'GGUF')
    throw notGguf(cursor.path, `it begins with ${JSON.stringify(magic)}, not "GGUF"`)
  const version = (await cursor.take(4)).readUInt32LE()
  if (version < 2 || version > 3) throw notGguf(cursor.path, `its version ${version} is not known`)
  const tensors = await cursor.count()
  const keys = await cursor.count()
  const metadata = new Map<string, GgufValue>()
  for (let i = 0; i < keys; i++) {
    const key = await cursor.string()
    metadata.set(key, await readValue(cursor, (await cursor.take(4)).readUInt32LE()))
  }
  let parameters = 0
  let lastOffset = 0
  for (let i = 0; i < tensors; i++) {
    await cursor.string()
    const dimensions = (await cursor.take(4)).readUInt32LE()
    if (dimensions > 8) throw notGguf(cursor.path, `a tensor of it has ${dimensions} dimensions`)
    let elements = 1
    for (let d = 0; d < dimensions; d++) elements *= await cursor.count(Number.MAX_SAFE_INTEGER)
    parameters += elements
    if (parameters > sizeBytes * WEIGHTS_PER_BYTE)
      throw notGguf(cursor.path, 'it is damaged within its header')
    await cursor.take(4)
    lastOffset = Math.max(lastOffset, await cursor.count(Number.MAX_SAFE_INTEGER))
  }
  // Each tensor begins within the file; that the last one also ends there, the engine will see.
  if (tensors > 0 && cursor.position + lastOffset >= sizeBytes)
    throw notGguf(cursor.path, 'it is cut off within its weights')
  return {metadata, parameters, sizeBytes}
}

async function readValue(cursor: Cursor, type: number): Promise<GgufValue> {
  if (type === STRING) return cursor.string()
  if (type === ARRAY) {
    const element = (await cursor.take(4)).readUInt32LE()
    const length = await cursor.count()
    if (element === STRING) for (let i = 0; i < length; i++) await cursor.skipString()
    // An array of arrays, which no model has, counts as a value of an unknown type.
    else cursor.skip(length * widthOf(cursor, element))
    return {arrayLength: length}
  }
  return scalar(await cursor.take(widthOf(cursor, type)), type)
}

function widthOf(cursor: Cursor, type: number): number {
  const width = WIDTH[type]
  if (width === undefined)
    throw notGguf(cursor.path, `it holds a value of the unknown type ${type}`)
  return width
}

function scalar(bytes: Buffer, type: number): number | boolean {
  switch (type) {
    case 0:
      return bytes.readUInt8()
    case 1:
      return bytes.readInt8()
    case 2:
      return bytes.readUInt16LE()
    case 3:
      return bytes.readInt16LE()
    case 4:
      return bytes.readUInt32LE()
    case 5:
      return bytes.readInt32LE()
    case 6:
      return bytes.readFloatLE()
    case 7:
      return bytes.readUInt8() !== 0
    case 10:
      return Number(bytes.readBigUInt64LE())
    case 11:
      return Number(bytes.readBigInt64LE())
    default:
      return bytes.readDoubleLE()
  }
}

/** Reads forward through the file in large pieces; every length is checked against the file's size. */
class Cursor {
  readonly path: string
  readonly #file: FileHandle
  readonly #size: number
  #position = 0
  #buffer = Buffer.alloc(0)
  #start = 0
  #textLeft = MAX_TEXT

  constructor(file: FileHandle, path: string, size: number) {
    this.#file = file
    this.path = path
    this.#size = size
  }

  get position(): number {
    return this.#position
  }

  async take(length: number): Promise<Buffer> {
    if (this.#position + length > this.#size)
      throw notGguf(this.path, 'it is cut off or damaged within its header')
    const from = this.#position - this.#start
    if (from < 0 || from + length > this.#buffer.length) {
      const {buffer, bytesRead} = await this.#file.read(
        Buffer.alloc(Math.max(CHUNK, length)),
        0,
        Math.max(CHUNK, length),
        this.#position,
      )
      this.#buffer = buffer.subarray(0, bytesRead)
      this.#start = this.#position
      if (bytesRead < length) throw notGguf(this.path, 'it is cut off within its header')
    }
    const at = this.#position - this.#start
    this.#position += length
    return this.#buffer.subarray(at, at + length)
  }

  skip(length: number): void {
    this.#position += length
    if (this.#position > this.#size) throw notGguf(this.path, 'it is cut off within its header')
  }

  /** A 64-bit count; what it counts takes at least a byte each, so a file cannot hold more than its size. */
  async count(most = this.#size): Promise<number> {
    const value = Number((await this.take(8)).readBigUInt64LE())
    if (value > most) throw notGguf(this.path, 'it is damaged within its header')
    return value
  }

  async string(): Promise<string> {
    const length = await this.count(Math.min(this.#size, this.#textLeft))
    this.#textLeft -= length
    return (await this.take(length)).toString('utf8')
  }

  async skipString(): Promise<void> {
    this.skip(await this.count())
  }
}

function notGguf(path: string, why: string): OllamaxError {
  return new OllamaxError('BAD_INPUT', `${path} is not a usable GGUF model file: ${why}`, {
    suggestions: ['give a model file in the GGUF format, whole'],
  })
}
