import {createHash} from 'node:crypto'
import {existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync} from 'node:fs'
import {totalmem} from 'node:os'
import {join} from 'node:path'
import {expect, onTestFinished, test} from 'vitest'
import type {FakeOptions} from '../support/fake-ollama/options.ts'
import {type SshFleetOptions, sshFleet} from '../support/ssh-fleet.ts'
import {waitFor} from '../support/wait-for.ts'

// Model commands on nodes behind a real SSH server, all on this machine. Whole hosts: test/e2e/models.test.ts.

async function fleet(nodes: readonly FakeOptions[], options?: SshFleetOptions) {
  const started = await sshFleet(nodes, options)
  onTestFinished(() => started.close())
  return started
}
const manifestIn = (store: string, name: string) =>
  join(store, 'manifests/registry.ollama.ai/library', name, 'latest')

test('copy and pull find the models of a node where its group says that they lie', async () => {
  const more = (nodes: readonly {readonly name: string; readonly store: string}[]) =>
    `groups:\n${nodes.map(({name, store}) => `  - {labels: {is: ${name}}, ollama: {env: {OLLAMA_MODELS: "${store}"}}}\n`).join('')}`
  const {cli, nodes} = await fleet([{pullable: ['small']}, {}], {saysWhere: false, more})
  const pulled = await cli('model', 'pull', 'small', '--nodes', 'n1,n2')
  expect(pulled.code, pulled.stderr).toBe(0)
  for (const {store} of nodes) expect(existsSync(manifestIn(store, 'small'))).toBe(true)
})

test('a model that is larger than all memory is refused before a byte moves, and copied by force', async () => {
  const {cli, nodes} = await fleet([{}, {}])
  const [one, two] = nodes
  if (!one || !two) throw new Error('two nodes')
  const sizeBytes = 3 * totalmem() + 2 ** 36
  const config = Buffer.from('{"name":"huge"}')
  const digest = createHash('sha256').update(config).digest('hex')
  const layers = [
    {mediaType: 'application/vnd.ollama.image.model', digest: `sha256:${'a'.repeat(64)}`},
  ]
  const manifest = {
    config: {digest: `sha256:${digest}`, size: config.length},
    layers: layers.map((layer) => ({...layer, size: sizeBytes})),
  }
  mkdirSync(join(one.store, 'manifests/registry.ollama.ai/library/huge'), {recursive: true})
  writeFileSync(join(one.store, 'blobs', `sha256-${digest}`), config)
  // A file with a hole in it takes no room.
  writeFileSync(join(one.store, 'blobs', `sha256-${'a'.repeat(64)}`), '')
  truncateSync(join(one.store, 'blobs', `sha256-${'a'.repeat(64)}`), sizeBytes)
  writeFileSync(manifestIn(one.store, 'huge'), JSON.stringify(manifest))
  const copy = ['model', 'copy', 'huge', '--from', 'n1', '--to', 'n2', '--progress', 'plain']
  const refused = await cli(...copy)
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringContaining('can never run there'),
  ])
  // By force the disk is what remains, and there is no room for three times the memory on it.
  const forced = await cli(...copy, '--force')
  expect(forced.stderr).toMatch(/n2: warning: .* of memory/)
  expect(forced.stderr).toMatch(/are free there/)
  expect(existsSync(join(two.store, 'blobs', `sha256-${digest}`))).toBe(false)
})

test('a pull ends as soon as the node tells that the model is larger than all memory', async () => {
  const huge = {name: 'huge', sizeBytes: 3 * totalmem() + 2 ** 36}
  const {cli, nodes} = await fleet([{pullable: [huge], pullMs: 60_000}])
  const refused = await cli('model', 'pull', 'huge')
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringContaining('can never run there'),
  ])
  expect(nodes[0]?.ollama.cancelled).toBe(1)
})

test('two pulls of a model at once, each by a process of its own, are one', async () => {
  const {startCli, nodes} = await fleet([{pullable: ['small'], pullMs: 1500}])
  const both = [1, 2].map(() => startCli('model', 'pull', 'small', '--json', '--progress', 'none'))
  const done = await Promise.all(both.map(({ended}) => ended))
  for (const {code, stderr} of done) expect(code, stderr).toBe(0)
  const outcomes = done.map(({stdout}) => JSON.parse(stdout).nodes[0].outcome).sort()
  expect(outcomes).toEqual(['had-it', 'pulled'])
  // The second one asks too, in case the registry has a newer one, but after the first, which brought all of it.
  const pulls = nodes[0]?.ollama.requests.filter(({path}) => path === '/api/pull') ?? []
  expect(pulls.length).toBeGreaterThan(0)
})

test('whoever gives up a pull leaves it to the one who waits for it', async () => {
  const {startCli, nodes} = await fleet([{pullable: ['small'], pullMs: 1500}])
  const first = startCli('model', 'pull', 'small', '--progress', 'none')
  await waitFor('the first pull', () =>
    nodes[0]?.ollama.requests.some(({path}) => path === '/api/pull'),
  )
  const second = startCli('model', 'pull', 'small', '--json', '--progress', 'none')
  first.child.kill('SIGINT')
  expect((await first.ended).code).toBe(130)
  const done = await second.ended
  expect(done.code, done.stderr).toBe(0)
  expect(readFileSync(manifestIn(nodes[0]?.store ?? '', 'small'), 'utf8')).toContain('layers')
})
