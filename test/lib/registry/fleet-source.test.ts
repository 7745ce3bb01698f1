import {randomBytes} from 'node:crypto'
import {mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import type {SshNode} from '../../../src/lib/cluster/node.ts'
import type {Reading} from '../../../src/lib/cluster/reading.ts'
import {makeDialer} from '../../../src/lib/jobs/dial-nodes.ts'
import {openStore} from '../../../src/lib/models/store.ts'
import {fleetSource} from '../../../src/lib/registry/fleet-source.ts'
import {openRegistry} from '../../../src/lib/registry/open-registry.ts'
import {filesOf, hexOf, type RegistryModel} from '../../support/fake-registry.ts'
import {pullLikeOllama} from '../../support/registry-client.ts'
import {type Sshd, startSshd} from '../../support/sshd.ts'
import {waitFor} from '../../support/wait-for.ts'

// Two nodes that are one machine with two stores, behind a real SSH server.

const SMALL: RegistryModel = {name: 'small', weights: randomBytes(300_000)}
const NEWER: RegistryModel = {name: 'small', weights: randomBytes(200_000)}
const weightsIn = ({files}: {files: ReadonlyMap<string, Buffer>}, of: RegistryModel) =>
  files.get(`sha256:${hexOf(of.weights)}`)

let dir: string
let sshd: Sshd
let stop: AbortController
const closers: (() => Promise<void>)[] = []
let failures: unknown[]

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ox-fleet-'))
  sshd = await startSshd({config: ['MaxSessions 5']})
  stop = new AbortController()
  failures = []
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  await sshd.stop()
  rmSync(dir, {recursive: true})
})

/** Puts a model into a node's store; gives the path of its weights. */
function plant(node: string, model: RegistryModel): string {
  const {manifest, blobs} = filesOf(model)
  const path = join(dir, node, 'manifests/registry.ollama.ai/library', model.name)
  mkdirSync(path, {recursive: true})
  mkdirSync(join(dir, node, 'blobs'), {recursive: true})
  writeFileSync(join(path, 'latest'), manifest)
  const fileOf = (bytes: Buffer) => join(dir, node, 'blobs', `sha256-${hexOf(bytes)}`)
  for (const bytes of blobs) writeFileSync(fileOf(bytes), bytes)
  return fileOf(model.weights)
}

const specOf = (name: string): SshNode => ({
  ...{kind: 'ssh', name, ssh: sshd.target, labels: {}, drained: false, ollama: {}},
  hostKey: sshd.fingerprint(),
})
const readingOf = (node: string, model: RegistryModel): Reading => ({
  ...{kind: 'up', node, atMs: 0, latencyMs: 1, version: '0.33.0', loaded: []},
  models: [
    {
      ...{name: `${model.name}:latest`, digest: hexOf(filesOf(model).manifest)},
      ...{sizeBytes: model.weights.length, modifiedAt: '2026-01-01T00:00:00Z'},
    },
  ],
})

async function start(fleet: Readonly<Record<string, RegistryModel>>) {
  const dialer = makeDialer({env: sshd.env, signal: stop.signal})
  const nodes = Object.entries(fleet).map(([name, model]) => ({
    spec: specOf(name),
    reading: readingOf(name, model),
  }))
  let opened = 0
  const source = fleetSource({
    nodes: () => nodes,
    async open(node, manifests, signal) {
      opened++
      const remote = await dialer.dial(node as SshNode)
      const sudoPassword = () => Promise.reject(new Error('nobody is asked'))
      const at = {node: node.name, dir: join(dir, node.name), access: 'read'} as const
      return openStore(remote, {...at, manifests, sudoPassword, signal})
    },
  })
  const registry = await openRegistry({source, failed: (error) => failures.push(error)})
  closers.push(() => dialer.close(), registry.close)
  const keyed: typeof fetch = (input, init) =>
    fetch(input, {...init, headers: {...(init?.headers as object), ...registry.headers}})
  const pull = (name: string) => pullLikeOllama(registry.url, name, {fetch: keyed})
  return {pull, opened: () => opened, ask: keyed, url: registry.url}
}

test('a model is read from the node that has it, part by part, byte for byte', async () => {
  plant('a', SMALL)
  const {pull} = await start({a: SMALL})
  const pulled = await pull('small')
  expect(pulled.manifest).toBe(filesOf(SMALL).manifest.toString())
  expect(weightsIn(pulled, SMALL)?.equals(SMALL.weights)).toBe(true)
  expect(failures).toEqual([])
})

test('many parts at once are more than the SSH server allows commands, and come all the same', async () => {
  plant('a', SMALL)
  const {pull} = await start({a: SMALL})
  const all = await Promise.all(Array.from({length: 4}, () => pull('small')))
  for (const one of all) expect(weightsIn(one, SMALL)?.equals(SMALL.weights)).toBe(true)
  expect(failures).toEqual([])
})

test('of what differs between nodes it gives what most have, as sync would', async () => {
  plant('a', NEWER)
  plant('b', SMALL)
  plant('c', SMALL)
  const {pull} = await start({a: NEWER, b: SMALL, c: SMALL})
  expect((await pull('small')).manifest).toBe(filesOf(SMALL).manifest.toString())
})

test('a node whose files are cut off is passed over for one that has them whole', async () => {
  truncateSync(plant('a', SMALL), 100)
  plant('b', SMALL)
  const {pull} = await start({a: SMALL, b: SMALL})
  expect(weightsIn(await pull('small'), SMALL)?.equals(SMALL.weights)).toBe(true)
})

test('a connection that was lost is dialled anew for the next pull', async () => {
  plant('a', SMALL)
  const {pull} = await start({a: SMALL})
  await pull('small')
  await sshd.kill()
  await sshd.start()
  const again = await waitFor('the model once more', () => pull('small').catch(() => undefined))
  expect(weightsIn(again, SMALL)?.equals(SMALL.weights)).toBe(true)
})

test('what is wrong with a node is told in words, but never in the bytes of a file', async () => {
  const weights = plant('a', SMALL)
  const {ask, url, pull} = await start({a: SMALL})
  await pull('small')
  rmSync(weights)
  const at = `${url}/v2/library/small/blobs/sha256:${hexOf(SMALL.weights)}`
  const part = await ask(at, {headers: {range: 'bytes=0-99'}})
  expect([part.status, await part.text()]).toEqual([502, ''])
  expect(failures).toMatchObject([{code: 'MODEL_DAMAGED'}])
  const model = await ask(`${url}/v2/library/nothing/manifests/latest`)
  expect([model.status, await model.text()]).toEqual([404, expect.stringContaining('UNKNOWN')])
})

test('a store is looked at once for a pull, though Ollama hangs up on a file in the middle of it', async () => {
  plant('a', SMALL)
  const {pull, opened} = await start({a: SMALL})
  await pull('small')
  expect(opened()).toBe(1)
})

test('a part of a file that is nowhere has no bytes, for Ollama would take them for the file', async () => {
  plant('a', SMALL)
  const {ask, url} = await start({a: SMALL})
  const at = `${url}/v2/library/small/blobs/sha256:${'0'.repeat(64)}`
  const part = await ask(at, {headers: {range: 'bytes=0-99'}})
  expect([part.status, await part.text()]).toEqual([404, ''])
  expect(await (await ask(at)).text()).toContain('BLOB_UNKNOWN')
})

test('whoever does not know its key gets nothing, and nothing can be written', async () => {
  plant('a', SMALL)
  const {ask, url} = await start({a: SMALL})
  const at = `${url}/v2/library/small/manifests/latest`
  expect((await fetch(at)).status).toBe(401)
  expect((await ask(at, {method: 'PUT'})).status).toBe(405)
})
