import {afterEach, expect} from 'vitest'
import type {TokenKey} from '../../src/lib/auth/key.ts'
import {Keyring} from '../../src/lib/auth/keyring.ts'
import {makeKeyId, makeToken} from '../../src/lib/auth/make-token.ts'
import {RateLimiter} from '../../src/lib/auth/rate-limit.ts'
import {keyGuard} from '../../src/lib/server/key-guard.ts'
import type {FakeOptions} from './fake-ollama/options.ts'
import {startGateway, type TestGateway} from './gateway.ts'
import {waitFor} from './wait-for.ts'

/** A gateway that wants a key, as a client finds it. */
export interface KeyedGateway extends TestGateway {
  /** The key that it wants. */
  readonly token: string
}

export const ANSWER = 'one two three four five six'
export const WORDS = ANSWER.split(' ')
export const TOOL_CALL = {name: 'weather', arguments: {city: 'Rome'}}

/** What a node of these gateways has: a model that can call tools, and one that makes vectors. */
const NODE: FakeOptions = {
  models: [{name: 'tiny', capabilities: ['completion', 'tools']}, 'embed'],
  pullable: ['fresh'],
  answer: ANSWER,
  toolCall: TOOL_CALL,
}

/** Ways in which a node can break off after its first words; the last one is a runner that dies. */
export const BREAKS = ['rst', 'fin', 'clean', 'error-line'] as const

export const breakOff = (how: (typeof BREAKS)[number], afterTokens = 3): FakeOptions => ({
  fault: {kind: 'cut', afterTokens, how, on: 'inference'},
})

/** So slow that only a client who leaves ends it. */
export const ENDLESS: FakeOptions = {decodeTokensPerS: 20, answer: 'word '.repeat(1000)}

/** Gives a function that starts gateways, all with one key, which end with the test; no bug may have been caught in one. */
export function keyedGateways(): (...nodes: readonly FakeOptions[]) => Promise<KeyedGateway> {
  const open: TestGateway[] = []
  const {token, hash} = makeToken()
  const id = makeKeyId()
  const key: TokenKey = {kind: 'token', id, name: 'client', createdAtMs: 0, hash}
  const ring = new Keyring([key])
  const guard = keyGuard({
    keyring: () => ring,
    limiter: new RateLimiter(),
    required: () => true,
    ticketSecret: 'secret',
    tls: false,
  })
  afterEach(async () => {
    for (const gateway of open.splice(0)) {
      await gateway.close()
      expect(gateway.bugs).toEqual([])
    }
  })
  return async (...nodes) => {
    const all = nodes.length > 0 ? nodes : [{}, {}]
    const gateway = await startGateway(
      all.map((node) => ({...NODE, ...node})),
      {guard},
    )
    open.push(gateway)
    return {...gateway, token}
  }
}

/** Resolves when a node has seen its client leave. */
export async function cancelled({nodes}: TestGateway): Promise<void> {
  await waitFor('the cancel upstream', () => nodes.some((node) => node.cancelled > 0))
}
