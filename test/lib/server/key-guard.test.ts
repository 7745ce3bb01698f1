import {afterEach, expect, test} from 'vitest'
import type {Key, TokenKey} from '../../../src/lib/auth/key.ts'
import {Keyring} from '../../../src/lib/auth/keyring.ts'
import {makeKeyId, makeToken} from '../../../src/lib/auth/make-token.ts'
import {RateLimiter} from '../../../src/lib/auth/rate-limit.ts'
import {keyGuard} from '../../../src/lib/server/key-guard.ts'
import {startGateway, type TestGateway} from '../../support/gateway.ts'
import {ollamaSigner} from '../../support/ollama-signer.ts'

// Keys as the gateway asks for them: by the clock on the wall, not by how long the gateway runs.

const open: TestGateway[] = []
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.close()
})

async function startWith(keys: readonly Key[]) {
  const ring = new Keyring(keys)
  const limiter = new RateLimiter()
  const guard = keyGuard({keyring: () => ring, limiter, required: () => true})
  const gateway = await startGateway([{}], {guard})
  open.push(gateway)
  return gateway
}

function tokenKey(change: Partial<TokenKey> = {}) {
  const {token, hash} = makeToken()
  const id = makeKeyId()
  const key: Key = {kind: 'token', id, name: id, createdAtMs: Date.now(), hash, ...change}
  return {key, headers: {authorization: `Bearer ${token}`}}
}

test('a key that has expired lets nobody in, one that has not does', async () => {
  const old = tokenKey({expiresAtMs: Date.now() - 1000})
  const valid = tokenKey({expiresAtMs: Date.now() + 60_000})
  const gateway = await startWith([old.key, valid.key])
  const status = async (headers: Record<string, string>) =>
    (await fetch(`${gateway.url}/api/tags`, {headers})).status
  expect(await status(old.headers)).toBe(401)
  expect(await status(valid.headers)).toBe(200)
})

test("the ollama command's signature of now lets in, one of long ago does not", async () => {
  const signer = ollamaSigner()
  const id = makeKeyId()
  const {publicKey} = signer
  const gateway = await startWith([{kind: 'ssh', id, name: id, createdAtMs: 0, publicKey}])
  const status = async (ts: number) => {
    const headers = {authorization: signer.authorize('GET', '/api/tags', ts)}
    return (await fetch(`${gateway.url}/api/tags?ts=${ts}`, {headers})).status
  }
  const nowS = Math.floor(Date.now() / 1000)
  expect(await status(nowS)).toBe(200)
  expect(await status(nowS - 3600)).toBe(401)
})
