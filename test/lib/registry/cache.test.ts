import {randomBytes} from 'node:crypto'
import {mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {type RegistryCache, registryCache} from '../../../src/lib/registry/cache.ts'
import {type OpenRegistry, openRegistry} from '../../../src/lib/registry/open-registry.ts'
import {
  digestOf,
  type FakeRegistry,
  filesOf,
  hexOf,
  type RegistryModel,
  startFakeRegistry,
} from '../../support/fake-registry.ts'
import {pullLikeOllama} from '../../support/registry-client.ts'
import {waitFor} from '../../support/wait-for.ts'

const model = (name: string, bytes = 100_000): RegistryModel => ({
  name,
  weights: randomBytes(bytes),
})
const SMALL = model('small')
const OTHER = model('other')
const THIRD = model('third')

let dir: string
let upstream: FakeRegistry
let failures: unknown[]
let notes: string[]
const open: {readonly registry: OpenRegistry; readonly cache: RegistryCache}[] = []

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ox-cache-'))
  upstream = await startFakeRegistry([SMALL, OTHER, THIRD])
  failures = []
  notes = []
})
afterEach(async () => {
  for (const {registry, cache} of open.splice(0)) {
    cache.close()
    await registry.close()
  }
  await upstream.close()
  rmSync(dir, {recursive: true})
})

async function start(
  maxBytes = 10_000_000,
): Promise<(name: string) => ReturnType<typeof pullLikeOllama>> {
  const note = (text: string) => void notes.push(text)
  const cache = registryCache({dir, maxBytes, upstream: upstream.url, note})
  const failed = (error: unknown) => void failures.push(error)
  const registry = await openRegistry({source: cache, failed})
  open.push({registry, cache})
  const {url, headers} = registry
  // The gateway sends the key with every request, so with those for parts, too.
  const keyed: typeof fetch = (input, init) =>
    fetch(input, {...init, headers: {...(init?.headers as object), ...headers}})
  return (name) => pullLikeOllama(url, name, {fetch: keyed})
}

const weightsOf = async (
  pulled: Promise<{files: ReadonlyMap<string, Buffer>}>,
  of: RegistryModel,
) => (await pulled).files.get(digestOf(of.weights))
const downloads = (of: RegistryModel) =>
  upstream.requests.filter((line) => line.startsWith(`GET /files/${digestOf(of.weights)}`))
const kept = () => readdirSync(join(dir, 'blobs')).filter((name) => !name.includes('.'))

test('what a node pulls is what the registry has, byte for byte, and is fetched once for all', async () => {
  const pull = await start()
  const letGo = upstream.hold()
  const pulls = ['a', 'b', 'c'].map(() => pull('small'))
  await waitFor('the download', () => downloads(SMALL).length > 0 || upstream.requests.length > 3)
  letGo()
  for (const pulled of await Promise.all(pulls)) {
    expect(pulled.manifest).toBe(filesOf(SMALL).manifest.toString())
    expect(pulled.files.get(digestOf(SMALL.weights))?.equals(SMALL.weights)).toBe(true)
  }
  await pull('small')
  expect(downloads(SMALL)).toHaveLength(1)
  expect(failures).toEqual([])
})

test('two processes with one directory share a download, too', async () => {
  const [one, two] = [await start(), await start()]
  await Promise.all([one('small'), two('small')])
  expect(downloads(SMALL)).toHaveLength(1)
})

test('bytes of another hash are neither served nor kept', async () => {
  const pull = await start()
  upstream.damage(digestOf(SMALL.weights))
  expect(await weightsOf(pull('small'), SMALL)).toHaveLength(0)
  expect(kept()).not.toContain(`sha256-${hexOf(SMALL.weights)}`)
  expect(failures).toContainEqual(expect.objectContaining({code: 'DOWNLOAD_FAILED'}))
})

test('a file that was damaged on the disk since is found before it is served, and fetched anew', async () => {
  await (await start())('small')
  const path = join(dir, 'blobs', `sha256-${hexOf(SMALL.weights)}`)
  const bytes = readFileSync(path)
  bytes[500] = (bytes[500] ?? 0) ^ 1
  writeFileSync(path, bytes)
  const pull = await start()
  expect((await weightsOf(pull('small'), SMALL))?.equals(SMALL.weights)).toBe(true)
  expect(notes).toContain('a file of the registry cache was damaged and is fetched anew')
  expect(downloads(SMALL)).toHaveLength(2)
})

test('a download that breaks off goes on from there', async () => {
  const pull = await start()
  const part = join(dir, 'blobs', `sha256-${hexOf(SMALL.weights)}.part`)
  upstream.cutNextAfter(60_000, () => (statSync(part, {throwIfNoEntry: false})?.size ?? 0) > 0)
  expect((await weightsOf(pull('small'), SMALL))?.equals(SMALL.weights)).toBe(true)
  expect(downloads(SMALL).at(-1)).toMatch(/ bytes=\d+-$/)
})

test('without its registry it gives what it has, and says that of what it has not', async () => {
  await (await start())('small')
  await upstream.close()
  const pull = await start()
  expect((await weightsOf(pull('small'), SMALL))?.equals(SMALL.weights)).toBe(true)
  await expect(pull('other')).rejects.toThrow(/502.*cannot be had/s)
  upstream = await startFakeRegistry([])
})

test('what the registry does not have is not found', async () => {
  await expect((await start())('nothing')).rejects.toThrow(/404.*MANIFEST_UNKNOWN/s)
})

test('what was of no use for longest makes room, and no more is kept than there may be', async () => {
  const pull = await start(250_000)
  await pull('small')
  await pull('other')
  await pull('small')
  await pull('third')
  const weights = kept()
  expect(weights).toContain(`sha256-${hexOf(SMALL.weights)}`)
  expect(weights).toContain(`sha256-${hexOf(THIRD.weights)}`)
  expect(weights).not.toContain(`sha256-${hexOf(OTHER.weights)}`)
})

test('a file that is larger than the cache is refused in words, and nothing is thrown out for it', async () => {
  const pull = await start(120_000)
  await pull('small')
  const small = kept()
  await upstream.close()
  upstream = await startFakeRegistry([model('huge', 200_000)])
  const again = await start(120_000)
  expect((await again('huge')).files.size).toBe(2)
  expect(failures).toContainEqual(expect.objectContaining({code: 'NO_SPACE'}))
  for (const name of small) expect(kept()).toContain(name)
})
