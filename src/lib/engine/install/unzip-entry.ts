import {createWriteStream} from 'node:fs'
import {type FileHandle, open} from 'node:fs/promises'
import {PassThrough} from 'node:stream'
import {pipeline} from 'node:stream/promises'
import {createInflateRaw} from 'node:zlib'
import {OllamaxError} from '../../errors.ts'

const END = 0x06054b50
const ENTRY = 0x02014b50
const LOCAL = 0x04034b50
/** The end record and the longest comment behind it. */
const TAIL = 22 + 65_535

interface Entry {
  readonly method: number
  readonly packed: number
  readonly size: number
  readonly offset: number
}

/**
 * Writes one file out of a zip archive (stored or deflated, no zip64: nothing we read is over 4 GiB).
 * DOWNLOAD_FAILED if the archive is damaged or has no such file.
 */
export async function unzipEntry(
  archive: string,
  name: string,
  to: {readonly path: string; readonly signal: AbortSignal},
): Promise<void> {
  const file = await open(archive, 'r')
  try {
    const entry = await findEntry(file, archive, name)
    const head = await readAt(file, entry.offset, 30)
    if (head.length < 30 || head.readUInt32LE(0) !== LOCAL) throw damaged(archive)
    const start = entry.offset + 30 + head.readUInt16LE(26) + head.readUInt16LE(28)
    const unpack = entry.method === 8 ? createInflateRaw() : new PassThrough()
    if (entry.method !== 8 && entry.method !== 0) throw damaged(archive)
    const source = entry.packed === 0 ? [] : range(file, start, entry.packed)
    const target = createWriteStream(to.path, {mode: 0o600})
    // The size is known, so no archive can fill the disk.
    const counted = async function* (chunks: AsyncIterable<Buffer>) {
      let size = 0
      for await (const chunk of chunks) {
        size += chunk.length
        if (size > entry.size) throw damaged(archive)
        yield chunk
      }
      if (size !== entry.size) throw damaged(archive)
    }
    await pipeline(source, unpack, counted, target, {signal: to.signal}).catch((error) => {
      throw /^Z_/.test((error as {code?: string}).code ?? '') ? damaged(archive) : error
    })
  } finally {
    await file.close()
  }
}

const range = (file: FileHandle, start: number, length: number) =>
  file.createReadStream({
    start,
    end: start + length - 1,
    autoClose: false,
    highWaterMark: 1024 * 1024,
  })

async function findEntry(file: FileHandle, archive: string, wanted: string): Promise<Entry> {
  const {size} = await file.stat()
  const tail = await readAt(file, Math.max(0, size - TAIL), Math.min(size, TAIL))
  let end = tail.length - 22
  while (end >= 0 && tail.readUInt32LE(end) !== END) end--
  if (end < 0) throw damaged(archive)
  const count = tail.readUInt16LE(end + 10)
  const length = tail.readUInt32LE(end + 12)
  const offset = tail.readUInt32LE(end + 16)
  if (offset + length > size) throw damaged(archive)
  const directory = await readAt(file, offset, length)
  for (let i = 0, at = 0; i < count; i++) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== ENTRY) throw damaged(archive)
    const nameLength = directory.readUInt16LE(at + 28)
    const rest = directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
    if (directory.toString('utf8', at + 46, at + 46 + nameLength) === wanted)
      return {
        method: directory.readUInt16LE(at + 10),
        packed: directory.readUInt32LE(at + 20),
        size: directory.readUInt32LE(at + 24),
        offset: directory.readUInt32LE(at + 42),
      }
    at += 46 + nameLength + rest
  }
  throw new OllamaxError('DOWNLOAD_FAILED', `${archive} holds no file ${wanted}`)
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const {bytesRead, buffer} = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.subarray(0, bytesRead)
}

function damaged(archive: string): OllamaxError {
  return new OllamaxError('DOWNLOAD_FAILED', `the archive ${archive} is damaged or incomplete`)
}
