import {createHash} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {open, stat} from 'node:fs/promises'
import {basename} from 'node:path'
import {PassThrough, type Readable, Writable} from 'node:stream'
import {pipeline} from 'node:stream/promises'
import {createGunzip, createGzip, createZstdDecompress} from 'node:zlib'
import {messageOf, OllamaxError} from '../errors.ts'
import {TarReader} from './tar.ts'
import {TarError} from './tar-header.ts'

export type ArchiveFormat = 'gz' | 'zst' | 'tar'

/** An Ollama archive on this machine that was read to its end and found good. */
export interface Artifact {
  readonly path: string
  readonly sha256: string
  /** Checksum of what is in it before compression. */
  readonly tarSha256: string
  readonly sizeBytes: number
  readonly format: ArchiveFormat
  /** Of the program in it; `any`: a script, which runs wherever its interpreter does. */
  readonly arch: string
  readonly os: 'linux' | 'darwin' | 'any'
  /** From the file's name, where that holds one. */
  readonly version?: string
  /** Sum of the files in it. */
  readonly unpackedBytes: number
}

/**
 * Reads an archive once, before a byte of it goes anywhere: checksum, compression, tar structure, the
 * expected `bin/ollama` and the machine that it was built for. ARTIFACT_BAD says what is wrong with it.
 */
export async function inspectArtifact(
  path: string,
  options: {sha256?: string | undefined; signal?: AbortSignal} = {},
): Promise<Artifact> {
  const sizeBytes = await sizeOf(path)
  const format = await formatOf(path)
  const hash = createHash('sha256')
  const tarHash = createHash('sha256')
  let program: Buffer | undefined
  let unpackedBytes = 0
  const tar = new TarReader(64, (entry, head) => {
    unpackedBytes += entry.sizeBytes
    if (entry.kind === 'file' && /^(\.\/)?(bin\/)?ollama$/.test(entry.path)) program = head
  })
  const count = new PassThrough()
  count.on('data', (chunk: Buffer) => void hash.update(chunk))
  try {
    await pipeline(
      createReadStream(path, {highWaterMark: 2 ** 20}),
      count,
      unpacker(format),
      new Writable({
        write(chunk: Buffer, _, done) {
          try {
            tarHash.update(chunk)
            tar.write(chunk)
            done()
          } catch (error) {
            done(error as Error)
          }
        },
      }),
      ...(options.signal ? [{signal: options.signal}] : []),
    )
    tar.end()
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason
    throw bad(path, whyBroken(error), error)
  }
  const sha256 = hash.digest('hex')
  if (options.sha256 !== undefined && options.sha256.toLowerCase() !== sha256) {
    throw bad(path, `its SHA-256 is ${sha256}, and not ${options.sha256.toLowerCase()}`)
  }
  if (!program) throw bad(path, 'there is no bin/ollama in it')
  const version = /v?(\d+\.\d+\.\d+(?:-rc\d+)?)/.exec(basename(path))?.[1]
  return {
    path,
    sha256,
    tarSha256: tarHash.digest('hex'),
    sizeBytes,
    format,
    ...machineOf(path, program),
    ...(version ? {version} : {}),
    unpackedBytes,
  }
}

/** The archive as gzip, for a host that has no zstd. */
export function readAsGzip(artifact: Artifact): Readable {
  const file = createReadStream(artifact.path, {highWaterMark: 2 ** 18})
  const out = createGzip({level: 1})
  // pipeline passes errors on and ends all three, in whichever direction.
  pipeline(file, unpacker(artifact.format), out).catch((error: Error) => out.destroy(error))
  return out
}

async function sizeOf(path: string): Promise<number> {
  try {
    const found = await stat(path)
    if (!found.isFile()) throw new Error('it is not a file')
    return found.size
  } catch (error) {
    const missing = (error as {code?: string}).code === 'ENOENT'
    throw bad(path, missing ? 'there is no such file' : messageOf(error), error)
  }
}

async function formatOf(path: string): Promise<ArchiveFormat> {
  const file = await open(path)
  try {
    const {buffer, bytesRead} = await file.read(Buffer.alloc(512), 0, 512, 0)
    if (bytesRead === 0) throw bad(path, 'it is empty')
    if (buffer.readUInt16BE(0) === 0x1f8b) return 'gz'
    if (buffer.readUInt32BE(0) === 0x28b52ffd) return 'zst'
    if (buffer.toString('latin1', 257, 262) === 'ustar') return 'tar'
    throw bad(path, 'it is neither a .tar, a .tar.gz nor a .tar.zst')
  } finally {
    await file.close()
  }
}

function unpacker(format: ArchiveFormat) {
  if (format === 'gz') return createGunzip()
  return format === 'zst' ? createZstdDecompress() : new PassThrough()
}

function whyBroken(error: unknown): string {
  if (error instanceof TarError) return error.message
  const code = (error as {code?: string}).code ?? ''
  if (code === 'Z_BUF_ERROR' || /unexpected end|incomplete/i.test(messageOf(error)))
    return 'it is truncated'
  return /^(Z|ZSTD)_/.test(code) ? `it is damaged (${messageOf(error)})` : messageOf(error)
}

/** The first bytes of a program tell which machine it is for. */
function machineOf(path: string, head: Buffer): Pick<Artifact, 'arch' | 'os'> {
  if (head.length >= 20 && head.readUInt32BE(0) === 0x7f454c46) {
    const little = head[5] === 1
    const machine = little ? head.readUInt16LE(18) : head.readUInt16BE(18)
    const names: Record<number, string> = {
      62: 'amd64',
      183: 'arm64',
      3: '386',
      40: 'arm',
      243: 'riscv64',
    }
    return {os: 'linux', arch: names[machine] ?? `ELF machine ${machine}`}
  }
  if (head.length >= 8 && [0xcffaedfe, 0xcafebabe].includes(head.readUInt32BE(0))) {
    const cpu = head.readUInt32BE(0) === 0xcafebabe ? 'any' : head.readUInt32LE(4)
    return {os: 'darwin', arch: cpu === 0x01000007 ? 'amd64' : cpu === 0x0100000c ? 'arm64' : 'any'}
  }
  if (head.toString('latin1', 0, 2) === '#!') return {os: 'any', arch: 'any'}
  throw bad(path, 'its bin/ollama is not a program')
}

function bad(path: string, why: string, cause?: unknown): OllamaxError {
  return new OllamaxError('ARTIFACT_BAD', `cannot use the archive ${path}: ${why}`, {
    suggestions: [
      'Give an archive of an Ollama release: ollama-linux-amd64.tar.zst, ollama-linux-arm64.tar.zst or a .tgz',
      'Compare its checksum with sha256sum.txt of that release',
    ],
    ...(cause === undefined ? {} : {cause}),
  })
}
