import {BLOCK} from './tar-header.ts'

/** The header block of a plain file in a tar archive. Undefined for a path that is too long for one. */
export function fileHeader(path: string, sizeBytes: number): Buffer | undefined {
  const split = splitPath(path)
  if (!split) return undefined
  const block = Buffer.alloc(BLOCK)
  block.write(split.name, 0, 'utf8')
  block.write('0000644\0', 100, 'latin1')
  block.write('0000000\0', 108, 'latin1')
  block.write('0000000\0', 116, 'latin1')
  writeSize(block, sizeBytes)
  block.write('00000000000\0', 136, 'latin1')
  block.write('        ', 148, 'latin1')
  block.write('0', 156, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  block.write(split.prefix, 345, 'utf8')
  const sum = block.reduce((all, byte) => all + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** The zeros between the end of a file of that size and the next header. */
export function paddingOf(sizeBytes: number): Buffer {
  return Buffer.alloc((BLOCK - (sizeBytes % BLOCK)) % BLOCK)
}

/** What ends an archive. */
export const TAR_END = Buffer.alloc(2 * BLOCK)

/** A name of at most 100 bytes, and what stands before it of at most 155. */
function splitPath(path: string): {readonly prefix: string; readonly name: string} | undefined {
  if (Buffer.byteLength(path) <= 100) return {prefix: '', name: path}
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)]
    if (Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return {prefix, name}
  }
  return undefined
}

/** Octal, or big-endian binary (as GNU tar) for what octal digits cannot hold. */
function writeSize(block: Buffer, sizeBytes: number): void {
  if (sizeBytes < 8 ** 11) {
    block.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124, 'latin1')
    return
  }
  block[124] = 0x80
  block.writeBigUInt64BE(BigInt(sizeBytes), 128)
}
