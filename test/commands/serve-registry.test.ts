import {randomBytes} from 'node:crypto'
import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, onTestFinished, test} from 'vitest'
import {digestOf, type RegistryModel, startFakeRegistry} from '../support/fake-registry.ts'
import {ollamaSigner} from '../support/ollama-signer.ts'
import {pullLikeOllama, tokenLikeOllama} from '../support/registry-client.ts'
import {serveHarness} from '../support/serve-harness.ts'

const {home, cli, node, write, serve} = serveHarness()
const SMALL: RegistryModel = {name: 'small', weights: randomBytes(100_000)}

async function registry() {
  const started = await startFakeRegistry([SMALL])
  onTestFinished(() => started.close())
  return started
}
const cached = async (...more: string[]) => {
  const upstream = await registry()
  const cache = ['--registry-cache', join(home().dir, 'cache'), '--registry-upstream', upstream.url]
  return {upstream, ...(await serve(['--registry', ...cache, ...more]))}
}
const weightsOf = ({files}: {files: ReadonlyMap<string, Buffer>}) =>
  files.get(digestOf(SMALL.weights))

test.each([[[]], [['--workers', '2']]])(
  'a pull through the gateway (serve %j) is whole, and the second one is from the cache',
  async (words) => {
    write([await node()])
    const {url, upstream} = await cached(...words)
    for (let times = 0; times < 2; times++)
      expect(weightsOf(await pullLikeOllama(url, 'small'))?.equals(SMALL.weights)).toBe(true)
    expect(upstream.requests.filter((line) => line.startsWith('GET /files/'))).toHaveLength(2)
  },
)

test('where a file lies is told at once, however long it is in coming', async () => {
  write([await node()])
  const {url, upstream} = await cached()
  const letGo = upstream.hold()
  await fetch(`${url}/v2/library/small/manifests/latest`)
  const place = await fetch(`${url}/v2/library/small/blobs/${digestOf(SMALL.weights)}`)
  expect([place.status, place.headers.has('location')]).toEqual([200, true])
  letGo()
  expect(Buffer.from(await place.arrayBuffer()).equals(SMALL.weights)).toBe(true)
})

test('without --registry there is none, as at an Ollama', async () => {
  write([await node()])
  const {url} = await serve()
  const {status} = await fetch(`${url}/v2/library/tiny/manifests/latest`)
  expect(status).toBe(404)
})

test('what cannot be is said before it listens', async () => {
  write([await node()])
  const bad = await cli('serve', '--registry', '--registry-cache', 'x', '--registry-upstream', 'x')
  expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('no address of a registry')])
  const file = join(home().dir, 'file')
  writeFileSync(file, '')
  const nowhere = await cli(
    'serve',
    '--registry',
    '--registry-cache',
    join(file, 'cache'),
    '--listen',
    '127.0.0.1:0',
  )
  expect([nowhere.code, nowhere.stderr]).toEqual([
    2,
    expect.stringContaining('models cannot be kept in'),
  ])
  const size = ['--registry-cache', 'x', '--registry-cache-size', '5']
  expect((await cli('serve', '--registry', ...size)).code).toBe(2)
  expect((await cli('serve', '--registry-cache', 'x')).code).toBe(2)
})

describe('where keys are wanted', () => {
  async function keyed(...limits: string[]) {
    write([await node()])
    const signer = ollamaSigner()
    mkdirSync(home().dir, {recursive: true})
    const file = join(home().dir, 'node.pub')
    writeFileSync(file, `ssh-ed25519 ${signer.publicKey} node\n`)
    const done = await cli('key', 'create', 'gpu-1', '--ssh-key', file, ...limits)
    expect(done.code, done.stderr).toBe(0)
    return {signer, ...(await cached('--workers', '2'))}
  }

  test("a node's own signature gets a ticket, with which it pulls, parts and all", async () => {
    const {url, signer} = await keyed()
    const token = await tokenLikeOllama(url, 'small', signer)
    const headers = {authorization: `Bearer ${token}`}
    expect(weightsOf(await pullLikeOllama(url, 'small', {headers}))?.equals(SMALL.weights)).toBe(
      true,
    )
    // A ticket is for files of models and for nothing else.
    expect((await fetch(`${url}/api/tags`, {headers})).status).toBe(401)
  })

  test('nobody else gets in: no key, a stranger, an old signature, a ticket that was changed, a revoked key', async () => {
    const {url, signer, logged} = await keyed()
    const at = `${url}/v2/library/small/manifests/latest`
    const statusOf = async (authorization: string) =>
      (await fetch(at, {headers: {authorization}})).status
    expect((await fetch(at)).status).toBe(401)
    expect(await tokenLikeOllama(url, 'small', ollamaSigner())).toBe(401)
    expect(await tokenLikeOllama(url, 'small', signer, Date.now() / 1000 - 3600)).toBe(401)
    const token = String(await tokenLikeOllama(url, 'small', signer))
    expect(await statusOf(`Bearer ${token}`)).toBe(200)
    expect(await statusOf(`Bearer ${token.slice(0, -2)}xx`)).toBe(401)
    await cli('key', 'revoke', 'gpu-1', '--yes')
    await logged('read the changed keys')
    expect(await statusOf(`Bearer ${token}`)).toBe(401)
  })

  test('a key for some models only may read no files, which are named by their content', async () => {
    const {url, signer} = await keyed('--model', 'small')
    const token = await tokenLikeOllama(url, 'small', signer)
    const at = `${url}/v2/library/small/manifests/latest`
    expect((await fetch(at, {headers: {authorization: `Bearer ${token}`}})).status).toBe(403)
  })
})

test('model pull --registry: the node asks that registry, and the model has its own name', async () => {
  const one = await node({pullable: ['gw.lan:11435/library/small:latest']})
  write([one])
  const at = ['--registry', 'http://gw.lan:11435']
  const done = await cli('model', 'pull', 'small', ...at, '--json')
  expect(done.code, done.stderr).toBe(0)
  const asked = one.requests.flatMap(({path, body}) => (path === '/api/pull' ? [body] : []))
  expect(asked).toEqual([{model: 'gw.lan:11435/library/small:latest', insecure: true}])
  const {models} = (await (await fetch(`${one.url}/api/tags`)).json()) as {models: {name: string}[]}
  expect(models.map(({name}) => name)).toContain('small:latest')
  expect(models.map(({name}) => name)).not.toContain('gw.lan:11435/library/small:latest')
})

test.each([
  ['small', 'gw.lan:11435'],
  ['small', 'http://gw.lan/path'],
  ['hf.co/me/small', 'http://gw.lan'],
])('model pull %s --registry %s is refused in words', async (name, url) => {
  write([await node()])
  expect((await cli('model', 'pull', name, '--registry', url)).code).toBe(2)
})
