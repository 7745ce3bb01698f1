import {afterEach, describe, expect, test} from 'vitest'
import type {Key} from '../../../src/lib/auth/key.ts'
import {Keyring} from '../../../src/lib/auth/keyring.ts'
import {makeToken} from '../../../src/lib/auth/make-token.ts'
import {RateLimiter, type Taken} from '../../../src/lib/auth/rate-limit.ts'
import {openGuard} from '../../../src/lib/gateway/guard.ts'
import {keyGuard} from '../../../src/lib/server/key-guard.ts'
import {startGateway, type TestGateway} from '../../support/gateway.ts'
import {ollamaSigner} from '../../support/ollama-signer.ts'
import {waitFor} from '../../support/wait-for.ts'

const TICKETS = {ticketSecret: 'secret', tls: false}
const open: TestGateway[] = []
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.close()
})

async function start(...keys: readonly Key[]): Promise<TestGateway> {
  const ring = new Keyring(keys)
  const guard = keyGuard({
    keyring: () => ring,
    limiter: new RateLimiter(),
    required: () => true,
    ...TICKETS,
  })
  const gateway = await startGateway([{}], {guard})
  open.push(gateway)
  return gateway
}

const nowS = () => Math.floor(Date.now() / 1000)
const statusOf = async (url: string, init: RequestInit = {}) => (await fetch(url, init)).status

test('a request that the ollama command has signed just now is let in, an old one is not', async () => {
  const signer = ollamaSigner()
  const {publicKey} = signer
  const gateway = await start({kind: 'ssh', id: 'a', name: 'a', createdAtMs: 0, publicKey})
  const signed = (ts: number) =>
    statusOf(`${gateway.url}/api/tags?ts=${ts}`, {
      headers: {authorization: signer.authorize('GET', '/api/tags', ts)},
    })
  expect(await signed(nowS())).toBe(200)
  expect(await signed(nowS() - 3600)).toBe(401)
})

test('a key is good until its time is over', async () => {
  const [past, future] = [makeToken(), makeToken()]
  const common = {kind: 'token', createdAtMs: 0} as const
  const gateway = await start(
    {...common, id: 'a', name: 'a', hash: past.hash, expiresAtMs: Date.now() - 1000},
    {...common, id: 'b', name: 'b', hash: future.hash, expiresAtMs: Date.now() + 60_000},
  )
  const tags = `${gateway.url}/api/tags`
  const by = (token: string) => statusOf(tags, {headers: {authorization: `Bearer ${token}`}})
  expect(await by(past.token)).toBe(401)
  expect(await by(future.token)).toBe(200)
})

test('how the gateway decides is shown to keys that are made for that alone', async () => {
  const [user, admin] = [makeToken(), makeToken()]
  const common = {kind: 'token', createdAtMs: 0} as const
  const gateway = await start(
    {...common, id: 'a', name: 'a', hash: user.hash},
    {...common, id: 'b', name: 'b', hash: admin.hash, admin: true},
  )
  for (const page of ['fleet', 'decisions']) {
    const by = (token: string) =>
      statusOf(`${gateway.url}/ollamax/v1/${page}`, {headers: {'x-api-key': token}})
    expect(await by(user.token)).toBe(403)
    expect(await by(admin.token)).toBe(200)
  }
})

test.each([
  ['127.0.0.1', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['192.0.2.7', false],
  ['::ffff:192.0.2.7', false],
  ['', false],
])('where no key is wanted, it is shown to this machine alone: %s', (remoteAddress, admin) => {
  const request = {method: 'GET', url: '/', rawHeaders: [], remoteAddress, header: () => undefined}
  expect(openGuard(request)).toMatchObject({kind: 'admitted', admin})
})

test('without a key the ollama command gets as far as to tell what is wrong', async () => {
  const gateway = await start()
  // Every command begins with this, and makes no sense of a refusal there.
  expect(await statusOf(`${gateway.url}/`, {method: 'HEAD'})).toBe(200)
  expect(await statusOf(`${gateway.url}/t/wrong/`, {method: 'HEAD'})).toBe(200)
  // It takes 401 for a demand to sign in at ollama.com.
  const agent = {'user-agent': 'ollama/0.33.0 (amd64 linux) Go/go1.26.8'}
  const reply = await fetch(`${gateway.url}/api/tags`, {headers: agent})
  expect(reply.status).toBe(403)
  expect(await reply.json()).toMatchObject({error: expect.stringContaining('a key is needed')})
  for (const path of ['/api/version', '/metrics', '/v1/models'])
    expect(await statusOf(gateway.url + path)).toBe(401)
})

test('a credential that is none at all opens nothing, whatever is asked for', async () => {
  const gateway = await start()
  for (const headers of [
    {authorization: 'Basic YTpi'},
    {authorization: 'Bearer a', 'x-api-key': 'b'},
  ])
    for (const path of ['/', '/api/tags', '/t/a/', '/v1/models'])
      expect(await statusOf(gateway.url + path, {headers})).toBe(401)
})

describe('where the rate is counted elsewhere', () => {
  const {token, hash} = makeToken()
  const key = {kind: 'token', id: 'a', name: 'a', createdAtMs: 0, hash, ratePerMinute: 1} as const
  const headers = {'x-api-key': token}

  async function startWith(take: () => Promise<Taken>): Promise<TestGateway> {
    const ring = new Keyring([key])
    const guard = keyGuard({keyring: () => ring, limiter: {take}, required: () => true, ...TICKETS})
    const gateway = await startGateway([{}], {guard})
    open.push(gateway)
    return gateway
  }

  test('a request waits for the answer, and is served or refused by it', async () => {
    const answers: Taken[] = [{kind: 'ok'}, {kind: 'wait', retryAfterMs: 5000}]
    const gateway = await startWith(async () => answers.shift() ?? {kind: 'ok'})
    const tags = () => fetch(`${gateway.url}/api/tags`, {headers})
    expect((await tags()).status).toBe(200)
    const late = await tags()
    expect([late.status, late.headers.get('retry-after')]).toEqual([429, '5'])
    const body = JSON.stringify({model: 'tiny', prompt: 'hi'})
    const answer = await fetch(`${gateway.url}/api/generate`, {method: 'POST', headers, body})
    expect(await answer.text()).toContain('"done":true')
  })

  test('a client that leaves meanwhile is told of once, and no node is asked', async () => {
    const asked = Promise.withResolvers<void>()
    const taken = Promise.withResolvers<Taken>()
    const gateway = await startWith(() => {
      asked.resolve()
      return taken.promise
    })
    const {nodes} = gateway
    const leave = new AbortController()
    const body = JSON.stringify({model: 'tiny', prompt: 'hi'})
    const {signal} = leave
    const request = {method: 'POST', headers, body, signal}
    const gone = fetch(`${gateway.url}/api/generate`, request).catch(() => 'left')
    await asked.promise
    leave.abort()
    expect(await gone).toBe('left')
    // A later connection is seen by the gateway after the end of the earlier one.
    await fetch(`${gateway.url}/healthz`)
    taken.resolve({kind: 'ok'})
    await waitFor('it to be told', () => gateway.outcomes.includes('cancelled'))
    expect(gateway.outcomes.filter((outcome) => outcome === 'cancelled')).toHaveLength(1)
    expect(nodes[0]?.requests.filter(({path}) => path === '/api/generate')).toEqual([])
  })
})
