import {createHmac, timingSafeEqual} from 'node:crypto'

/** A ticket says for some time on whose key's behalf a node pulls: its Ollama cannot send the key with every request. */
const PREFIX = 'oxt-'
/** Longer than any pull. */
const TICKET_MS = 24 * 3_600_000

/** Makes a ticket for a key, good for a day. Nobody without the secret can make or change one. */
export function makeTicket(secret: string, keyId: string, nowMs: number): string {
  const told = `${Buffer.from(keyId).toString('base64url')}.${Math.floor(nowMs) + TICKET_MS}`
  return `${PREFIX}${told}.${sealOf(secret, told)}`
}

/** The id of the key that a ticket was made for; undefined for what is none, or no longer one. */
export function readTicket(secret: string, text: string, nowMs: number): string | undefined {
  const [, told = '', id = '', until = '', seal = ''] =
    /^oxt-(([A-Za-z0-9_-]+)\.(\d{1,16}))\.([A-Za-z0-9_-]{43})$/.exec(text) ?? []
  if (seal === '') return undefined
  if (!timingSafeEqual(Buffer.from(seal), Buffer.from(sealOf(secret, told)))) return undefined
  return nowMs < Number(until) ? Buffer.from(id, 'base64url').toString() : undefined
}

const sealOf = (secret: string, told: string) =>
  createHmac('sha256', secret).update(told).digest('base64url')
