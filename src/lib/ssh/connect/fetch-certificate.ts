import {createECDH, generateKeyPairSync, getDiffieHellman, randomBytes} from 'node:crypto'
import type {Duplex} from 'node:stream'
import {messageOf} from '../../errors.ts'
import {abortable} from '../deadline.ts'
import {packNumber, packString, readFields} from './fields.ts'

/** What a server shows when it is asked for a certificate. */
export type Fetched =
  | {readonly kind: 'certificate'; readonly blob: Buffer}
  /** It has none of a type that was asked for. */
  | {readonly kind: 'none'}
  | {readonly kind: 'broken'; readonly why: string}
  /** It hung up before it said who it is, as sshd does under load. */
  | {readonly kind: 'dropped'}

/** Everything that a server may send before its certificate, its longest packet included. */
const MAX_BYTES = 256 * 1024
/** Lines before the one that names the version, and that one. */
const MAX_GREETING = 16 * 1024

const MSG = {
  disconnect: 1,
  ignore: 2,
  unimplemented: 3,
  debug: 4,
  kexInit: 20,
  dhInit: 30,
  dhReply: 31,
}
const NOISE: readonly number[] = [MSG.ignore, MSG.unimplemented, MSG.debug]

/** Key exchange -> a public value of ours. All have the same two messages; the secret is never needed. */
const EXCHANGES: Readonly<Record<string, () => Buffer>> = {
  'curve25519-sha256': curve25519,
  'curve25519-sha256@libssh.org': curve25519,
  'ecdh-sha2-nistp256': () => packString(createECDH('prime256v1').generateKeys()),
  'ecdh-sha2-nistp384': () => packString(createECDH('secp384r1').generateKeys()),
  'ecdh-sha2-nistp521': () => packString(createECDH('secp521r1').generateKeys()),
  'diffie-hellman-group14-sha256': () => packNumber(getDiffieHellman('modp14').generateKeys()),
  'diffie-hellman-group16-sha512': () => packNumber(getDiffieHellman('modp16').generateKeys()),
}

function curve25519(): Buffer {
  const {x = ''} = generateKeyPairSync('x25519').publicKey.export({format: 'jwk'})
  return packString(Buffer.from(x, 'base64url'))
}

/**
 * Begins a key exchange on a fresh stream to an SSH server, up to the host key that it shows in clear:
 * the first of `algorithms` (host key algorithms of certificates) that it has. The stream is closed.
 * What comes is not proven to be the server's own; a certificate need not be, since the connection that
 * follows must prove that it has the key in it. Throws the signal's reason only.
 */
export async function fetchCertificate(
  stream: Duplex,
  algorithms: readonly string[],
  signal: AbortSignal,
): Promise<Fetched> {
  // A stream given up may still fail, and then nobody listens.
  stream.on('error', () => {})
  const input = inputFrom(stream, signal)
  try {
    stream.write('SSH-2.0-ollamax\r\n')
    if (!(await readGreeting(input))) return {kind: 'dropped'}
    const offer = readOffer(await readMessage(input, MSG.kexInit))
    const algorithm = algorithms.find((name) => offer.hostKeys.includes(name))
    if (algorithm === undefined) return {kind: 'none'}
    const [exchange, publicValue] =
      Object.entries(EXCHANGES).find(([name]) => offer.exchanges.includes(name)) ?? []
    if (!exchange || !publicValue) throw new Error('there is no common key exchange')
    // Whatever it offers beyond these two is never used, so all of it is agreed to.
    const ours = [packString(exchange), packString(algorithm), offer.rest, Buffer.alloc(5)]
    stream.write(packet(MSG.kexInit, [randomBytes(16), ...ours]))
    stream.write(packet(MSG.dhInit, [publicValue()]))
    const blob = readFields(await readMessage(input, MSG.dhReply)).string()
    return {kind: 'certificate', blob: Buffer.from(blob)}
  } catch (error) {
    signal.throwIfAborted()
    return {kind: 'broken', why: messageOf(error)}
  } finally {
    stream.destroy()
  }
}

interface Input {
  take(length: number): Promise<Buffer>
  /** Up to the next line feed; undefined where the stream ends before it. */
  line(): Promise<string | undefined>
}

function inputFrom(stream: Duplex, signal: AbortSignal): Input {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let held: Buffer = Buffer.alloc(0)
  let total = 0
  /** False: the stream has ended. */
  const more = async (): Promise<boolean> => {
    const next = await abortable(signal, chunks.next())
    if (next.done) return false
    total += next.value.length
    if (total > MAX_BYTES) throw new Error('it sends more than a key exchange needs')
    held = Buffer.concat([held, next.value])
    return true
  }
  const cut = (length: number): Buffer => {
    const head = held.subarray(0, length)
    held = held.subarray(length)
    return head
  }
  return {
    async take(length) {
      if (length > MAX_BYTES) throw new Error('it announces a packet of absurd length')
      while (held.length < length) {
        if (!(await more())) throw new Error('it hung up in the key exchange')
      }
      return cut(length)
    },
    async line() {
      for (;;) {
        const end = held.indexOf(0x0a)
        if (end >= 0) return cut(end + 1).toString('latin1')
        if (held.length > MAX_GREETING) throw new Error('it does not speak SSH')
        if (!(await more().catch(cutShort))) return undefined
      }
    },
  }
  function cutShort(error: unknown): boolean {
    if (signal.aborted || total > 0) throw error
    return false
  }
}

/** Reads up to the server's version. False: it hung up before that. */
async function readGreeting(input: Input): Promise<boolean> {
  for (let read = 0; read <= MAX_GREETING; ) {
    const line = await input.line()
    if (line === undefined) return false
    if (/^SSH-(2\.0|1\.99)-/.test(line)) return true
    if (line.startsWith('SSH-')) throw new Error('it speaks an old version of SSH')
    read += line.length
  }
  throw new Error('it does not speak SSH')
}

/** The body of the next message, which must be of that type. */
async function readMessage(input: Input, type: number): Promise<Buffer> {
  for (;;) {
    const length = (await input.take(4)).readUInt32BE()
    const body = await input.take(length)
    const padding = body[0] ?? 0
    if (padding + 2 > length) throw new Error('it sends a packet that is none')
    const [found] = body.subarray(1, 2)
    const content = body.subarray(2, length - padding)
    if (found === type) return content
    if (found === MSG.disconnect) throw new Error(`it ended the key exchange: ${reasonIn(content)}`)
    if (found === undefined || !NOISE.includes(found))
      throw new Error(`it sends message ${found} too early`)
  }
}

function reasonIn(content: Buffer): string {
  const fields = readFields(content)
  fields.uint32()
  return fields.text().slice(0, 200)
}

/** The lists of a server's KEXINIT; `rest` are those after the first two, as they stand. */
function readOffer(content: Buffer): {exchanges: string[]; hostKeys: string[]; rest: Buffer} {
  const fields = readFields(content)
  fields.bytes(16)
  const [exchanges, hostKeys] = [fields.names(), fields.names()]
  const from = fields.at
  for (let list = 0; list < 8; list++) fields.string()
  return {exchanges, hostKeys, rest: content.subarray(from, fields.at)}
}

/** A message as a packet in clear: its size is a multiple of eight, with four bytes of padding or more. */
function packet(type: number, parts: readonly Buffer[]): Buffer {
  const payload = Buffer.concat([Buffer.from([type]), ...parts])
  const padding = 4 + ((8 - ((payload.length + 9) % 8)) % 8)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(1 + payload.length + padding)
  head[4] = padding
  return Buffer.concat([head, payload, Buffer.alloc(padding)])
}
