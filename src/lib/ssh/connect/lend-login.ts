import {Duplex} from 'node:stream'
import ssh2, {type ParsedKey, type SignCallback} from 'ssh2'
import {fingerprintOf} from './known-hosts.ts'

/** Signs with the key that a login was made with. `hash` for RSA keys alone. */
export interface Signer {
  readonly key: ParsedKey
  sign(data: Buffer, hash: string | undefined): Promise<Buffer>
}

/** A login to one machine that another machine may repeat while it is lent. */
export interface Login {
  readonly user: string
  readonly host: string
  readonly port: number
  /** Fingerprint of the host key that was accepted. */
  readonly hostKey: string
  /** `ssh-ed25519 AAAA...`: that key as known_hosts writes it. */
  readonly hostKeyLine: string
  readonly signer: Signer
}

const FAILURE = 5
const LIST = 11
const KEYS = 12
const SIGN = 13
const SIGNATURE = 14
const RSA_SHA256 = 2
const RSA_SHA512 = 4
const USERAUTH_REQUEST = 50
const METHOD = 'publickey-hostbound-v00@openssh.com'
/** Longer messages are nobody's who logs in. */
const MOST_BYTES = 256 * 1024

/**
 * The agent that a machine finds while a login is lent to it. It signs nothing but a login of that user at a server that
 * shows that very host key (OpenSSH 8.9 and later say so in what is signed), so whoever reaches it on that machine can go
 * nowhere else. No key leaves this process.
 */
export class LentLogins extends ssh2.BaseAgent {
  readonly #lent = new Map<Login, number>()

  /** Lends a login while `work` runs. */
  async during<T>(login: Login, work: () => Promise<T>): Promise<T> {
    this.#lent.set(login, (this.#lent.get(login) ?? 0) + 1)
    try {
      return await work()
    } finally {
      const left = (this.#lent.get(login) ?? 1) - 1
      if (left > 0) this.#lent.set(login, left)
      else this.#lent.delete(login)
    }
  }

  /** What ssh2 asks for when the machine opens a channel to the agent. */
  override getStream(done: (error: Error | null, stream: Duplex) => void): void {
    done(
      null,
      agentStream((message) => this.#answer(message)),
    )
  }

  // ssh2 itself never logs in by it.
  override getIdentities(done: (error: Error | undefined, keys?: ParsedKey[]) => void): void {
    done(undefined, [])
  }

  override sign(...args: unknown[]): void {
    const done = args.findLast((arg) => typeof arg === 'function') as SignCallback | undefined
    done?.(new Error('a lent login signs for others alone'))
  }

  async #answer(message: Buffer): Promise<Buffer> {
    const fields = new Fields(message)
    const type = fields.byte()
    const logins = [...this.#lent.keys()]
    if (type === LIST) {
      const keys = logins.map(({signer}) => signer.key.getPublicSSH())
      const unique = keys.filter((key, at) => keys.findIndex((one) => one.equals(key)) === at)
      return Buffer.concat([
        Buffer.from([KEYS]),
        uint32(unique.length),
        ...unique.flatMap((key) => [text(key), text(Buffer.alloc(0))]),
      ])
    }
    if (type !== SIGN) return Buffer.from([FAILURE])
    const key = fields.text()
    const data = fields.text()
    const flags = fields.uint32()
    const login = logins.find((one) => mayBeSigned(one, key, data))
    if (!login) return Buffer.from([FAILURE])
    const [algorithm, hash] = algorithmOf(login.signer.key, flags)
    const signature = await login.signer.sign(data, hash)
    const blob = Buffer.concat([text(Buffer.from(algorithm)), text(signature)])
    return Buffer.concat([Buffer.from([SIGNATURE]), text(blob)])
  }
}

/** True for what a login of that user at that very server signs, and nothing else. */
function mayBeSigned(login: Login, key: Buffer, data: Buffer): boolean {
  const own = login.signer.key.getPublicSSH()
  if (!own.equals(key)) return false
  try {
    const fields = new Fields(data)
    fields.text()
    const request = fields.byte()
    const user = fields.text().toString('utf8')
    const service = fields.text().toString('latin1')
    const method = fields.text().toString('latin1')
    const signed = fields.byte()
    fields.text()
    const offered = fields.text()
    const hostKey = fields.text()
    return (
      request === USERAUTH_REQUEST &&
      user === login.user &&
      service === 'ssh-connection' &&
      method === METHOD &&
      signed === 1 &&
      offered.equals(own) &&
      fingerprintOf(hostKey) === login.hostKey &&
      fields.left === 0
    )
  } catch {
    return false
  }
}

/** Keys whose signatures are alike in this process and on the wire. */
export function canBeLent(key: ParsedKey): boolean {
  return key.type === 'ssh-ed25519' || key.type === 'ssh-rsa'
}

function algorithmOf(key: ParsedKey, flags: number): [string, string | undefined] {
  if (key.type !== 'ssh-rsa') return [key.type, undefined]
  if (flags & RSA_SHA512) return ['rsa-sha2-512', 'sha512']
  if (flags & RSA_SHA256) return ['rsa-sha2-256', 'sha256']
  return ['ssh-rsa', 'sha1']
}

function agentStream(answer: (message: Buffer) => Promise<Buffer>): Duplex {
  let pending = Buffer.alloc(0)
  return new Duplex({
    read() {},
    async write(chunk: Buffer, _, done) {
      pending = Buffer.concat([pending, chunk])
      try {
        while (pending.length >= 4) {
          const length = pending.readUInt32BE(0)
          if (length > MOST_BYTES) throw new Error('a message for the agent is too long')
          if (pending.length < 4 + length) break
          const message = pending.subarray(4, 4 + length)
          pending = pending.subarray(4 + length)
          this.push(text(await answer(message).catch(() => Buffer.from([FAILURE]))))
        }
        done()
      } catch (error) {
        done(error as Error)
      }
    },
    final(done) {
      this.push(null)
      done()
    },
  })
}

/** Reads the fields of SSH's messages in turn; throws where one is cut off. */
class Fields {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }
  byte(): number {
    this.#at += 1
    return this.#bytes.readUInt8(this.#at - 1)
  }
  uint32(): number {
    this.#at += 4
    return this.#bytes.readUInt32BE(this.#at - 4)
  }
  text(): Buffer {
    const length = this.uint32()
    if (length > this.left) throw new Error('cut off')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const text = (bytes: Buffer): Buffer => Buffer.concat([uint32(bytes.length), bytes])
