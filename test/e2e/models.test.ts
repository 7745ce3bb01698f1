import {randomBytes} from 'node:crypto'
import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import type {Artifact} from '../lab/artifact.ts'
import type {Lab} from '../lab/lab.ts'
import {plantModel, STORE} from '../lab/plant-model.ts'
import {threeNodes} from '../lab/three-nodes.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'

// Models on three real hosts: h1 and h2 by an account with sudo, h3 as root.

const test = needs(...LAB_NEEDS)
let lab: Lab
let artifact: Artifact

beforeAll(async () => {
  ;({lab, artifact} = await threeNodes())
}, 120_000)
afterAll(async () => {
  artifact?.dispose()
  await lab?.close()
})

const model = (...words: string[]) => lab.cli(['model', ...words])
const json = async (...words: string[]) => {
  const done = await model(...words, '--json', '--progress', 'none')
  return JSON.parse(done.stdout || '{}')
}
const listed = async () => {
  const {models} = JSON.parse((await model('list', '--json')).stdout)
  return models as {name: string; versions: {digest: string; nodes: string[]}[]; loaded: string[]}[]
}
const nodesOf = async (name: string) =>
  (await listed())
    .find((one) => one.name === `${name}:latest`)
    ?.versions.map(({nodes}) => nodes.join())
    .join('|')
const filesOn = (host: number) => lab.exec(host, `cd ${STORE}; find blobs manifests -type f | sort`)

test('pull --replicas: one node asks the registry, the other gets the same content from it', async () => {
  const {nodes} = await json('pull', 'tiny', '--replicas', '2')
  expect(nodes.map((row: {outcome: string}) => row.outcome)).toEqual(['pulled', 'copied'])
  expect(await nodesOf('tiny')).toBe(nodes.map((row: {node: string}) => row.node).join())
  const again = await json('pull', 'tiny', '--replicas', '2')
  expect(again.nodes.map((row: {outcome: string}) => row.outcome)).toEqual(['had-it', 'had-it'])
})

test('copy makes files of the right owner that Ollama serves at once', async () => {
  await model('pull', 'tiny', '--nodes', 'h1')
  const done = await model('copy', 'tiny', '--from', 'h1', '--to', 'h2,h3')
  expect(done.code, done.stderr).toBe(0)
  expect(await nodesOf('tiny')).toBe('h1,h2,h3')
  for (const host of [2, 3]) {
    expect(await lab.exec(host, `find ${STORE} ! -user ollama`)).toBe('')
    expect(await filesOn(host)).toBe(await filesOn(1))
  }
  const run = await lab.cli(['run', 'tiny', 'hello', '--node', 'h3', '--no-pull'])
  expect(run.code, run.stderr).toBe(0)
})

test('warm, show and unload: what is in memory is seen, and freed', async () => {
  expect((await json('warm', 'tiny', '--nodes', 'h2')).nodes).toMatchObject([
    {node: 'h2', outcome: 'loaded'},
  ])
  const shown = await json2('show', 'tiny')
  expect(shown).toMatchObject({name: 'tiny:latest', drift: false})
  expect(shown.loaded).toContain('h2')
  const done = await model('unload', 'tiny', '--progress', 'none')
  expect([done.code, done.stdout]).toEqual([0, expect.stringContaining('h2: unloaded')])
  expect((await listed()).find(({name}) => name === 'tiny:latest')?.loaded).toEqual([])
})
const json2 = async (...words: string[]) => JSON.parse((await model(...words, '--json')).stdout)

test('remove asks, unloads what is in memory, and leaves the other nodes theirs', async () => {
  await model('warm', 'tiny', '--nodes', 'h2')
  const refused = await model('remove', 'tiny', '--nodes', 'h2')
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('in memory on h2')])
  const done = await json('remove', 'tiny', '--nodes', 'h2', '--yes')
  expect(done.nodes).toEqual([{node: 'h2', outcome: 'removed', unloaded: true}])
  expect(await nodesOf('tiny')).toBe('h1,h3')
})

test('prune removes what no model needs, and nothing else', async () => {
  await lab.exec(2, `touch -d '2 hours ago' ${STORE}/blobs/*; echo x >${STORE}/blobs/new.ollamax`)
  await lab.exec(1, `touch -d '2 hours ago' ${STORE}/blobs/*`)
  const before = await filesOn(1)
  const found = await json('prune', '--dry-run')
  expect(found.nodes).toMatchObject([
    {node: 'h1', files: []},
    {node: 'h2', removed: false},
    {node: 'h3', files: []},
  ])
  expect(found.nodes[1].files).toHaveLength(2)
  expect((await model('prune')).stderr).toContain('CONFIRM_NEEDED')
  expect((await json('prune', '--yes')).nodes[1]).toMatchObject({removed: true})
  expect(await lab.exec(2, `ls ${STORE}/blobs`)).toBe('new.ollamax\n')
  expect(await filesOn(1)).toBe(before)
})

test('export and import carry a model in one file, which tar can unpack into a store', async () => {
  const file = join(lab.dir, 'tiny.tar')
  const out = await model('export', 'tiny', file, '--from', 'h1')
  expect(out.code, out.stderr).toBe(0)
  const seen = await lab.tool(['tar', '-tf', file])
  expect(seen.stdout).toContain('manifests/registry.ollama.ai/library/tiny/latest')
  expect((await json('import', file, '--nodes', 'h2')).nodes).toMatchObject([
    {node: 'h2', outcome: 'copied'},
  ])
  expect(await nodesOf('tiny')).toBe('h1,h2,h3')
  const bytes = readFileSync(file)
  const at = bytes.length - 4096
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(`${file}.bad`, bytes)
  await model('remove', 'tiny', '--nodes', 'h2', '--yes')
  await lab.exec(2, `rm -f ${STORE}/blobs/*`)
  const bad = await model('import', `${file}.bad`, '--nodes', 'h2')
  expect([bad.code, bad.stderr]).toEqual([1, expect.stringContaining('its hash is another')])
  expect(await nodesOf('tiny')).toBe('h1,h3')
  writeFileSync(`${file}.cut`, bytes.subarray(0, bytes.length / 2))
  const cut = await model('import', `${file}.cut`)
  expect([cut.code, cut.stderr]).toEqual([1, expect.stringContaining('MODEL_DAMAGED')])
})

test('a name that means two things is seen as drift and mended by sync', async () => {
  for (const host of [1, 2, 3])
    await plantModel(lab, host, {name: 'twin', content: Buffer.alloc(5000, host === 3 ? 'x' : 'y')})
  expect(await nodesOf('twin')).toBe('h1,h2|h3')
  expect((await model('list')).stdout).toMatch(/^twin:latest\t.*\tdrift\t/m)
  expect((await model('sync', 'twin')).code).toBe(2)
  const {models} = await json('sync', 'twin', '--yes')
  expect(models).toMatchObject([{from: 'h1', nodes: [{node: 'h3', outcome: 'copied'}]}])
  expect(await nodesOf('twin')).toBe('h1,h2,h3')
  expect((await model('sync', '--yes')).stderr).toContain('Nothing differs')
})

test('create makes a model after a Modelfile once, and brings it to the other nodes', async () => {
  const file = join(lab.dir, 'Modelfile')
  writeFileSync(file, 'FROM tiny\nPARAMETER temperature 0.1\nSYSTEM """You are\nbrief."""\n')
  const {nodes} = await json('create', 'brief', '-f', file, '--nodes', 'h1,h3')
  expect(nodes).toEqual([
    {node: 'h1', outcome: 'created'},
    {node: 'h3', outcome: 'copied'},
  ])
  expect(await nodesOf('brief')).toBe('h1,h3')
  writeFileSync(file, 'FROM ./weights.gguf\n')
  writeFileSync(join(lab.dir, 'weights.gguf'), randomBytes(3_000_000))
  expect((await json('create', 'own', '-f', file, '--nodes', 'h2')).nodes).toEqual([
    {node: 'h2', outcome: 'created'},
  ])
  writeFileSync(file, 'FORM tiny\n')
  const bad = await model('create', 'x', '-f', file)
  expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('line 1: "FORM"')])
})

test('a pinned model stays in memory and is neither unloaded nor removed', async () => {
  const pinned = await json('pin', 'tiny')
  expect(pinned).toMatchObject({model: 'tiny:latest', pinned: true, changed: true})
  const file = join(lab.home.env.OLLAMAX_HOME ?? '', 'clusters/default.yaml')
  expect(readFileSync(file, 'utf8')).toContain('pin: true')
  expect((await listed()).find(({name}) => name === 'tiny:latest')?.loaded).toEqual(['h1', 'h3'])
  for (const words of [
    ['unload', 'tiny'],
    ['remove', 'tiny', '--yes'],
  ]) {
    const done = await model(...words)
    expect([words, done.code, done.stderr]).toEqual([words, 5, expect.stringContaining('--off')])
  }
  expect(await json('pin', 'tiny')).toMatchObject({changed: false})
  expect(await json('pin', 'tiny', '--off')).toMatchObject({pinned: false, changed: true})
  expect((await model('unload', 'tiny')).code).toBe(0)
})

test('an alias is another name for requests', async () => {
  const set = await model('alias', 'fast', 'tiny')
  expect([set.code, set.stdout]).toEqual([0, 'fast\ttiny\n'])
  const run = await lab.cli(['run', 'fast', 'hello', '--no-pull'])
  expect(run.code, run.stderr).toBe(0)
  expect((await model('alias', 'fast', '--off')).code).toBe(0)
  expect((await lab.cli(['run', 'fast', 'hello', '--no-pull'])).code).toBe(3)
  expect((await model('alias', 'fast')).code).toBe(2)
})

test('a flipped byte at the source is refused, and nothing of it stays', async () => {
  const {weights} = await plantModel(lab, 1, {name: 'flip', content: randomBytes(2_000_000)})
  await lab.exec(
    1,
    `printf X | dd of=${STORE}/blobs/sha256-${weights} bs=1 seek=1000000 conv=notrunc status=none`,
  )
  const done = await model('copy', 'flip', '--from', 'h1', '--to', 'h2,h3')
  expect([done.code, done.stderr]).toEqual([1, expect.stringContaining('its hash is another')])
  expect(await nodesOf('flip')).toBe('h1')
  expect(await lab.exec(2, `ls ${STORE}/blobs`)).not.toContain(weights)
})

test('a manifest without its files is no source, and says so', async () => {
  const {weights} = await plantModel(lab, 1, {name: 'half', content: randomBytes(9000)})
  await lab.exec(1, `rm ${STORE}/blobs/sha256-${weights}`)
  const done = await model('copy', 'half', '--from', 'h1', '--to', 'h2')
  expect([done.code, done.stderr]).toEqual([1, expect.stringContaining('only in part')])
})

test('room is looked at before a byte moves', async () => {
  await plantModel(lab, 1, {name: 'big', content: randomBytes(30_000_000)})
  await lab.exec(2, 'fallocate -l $(($(df --output=avail -B1 / | tail -1) - 80000000)) /fill')
  try {
    const before = await filesOn(2)
    const done = await model('copy', 'big', '--from', 'h1', '--to', 'h2,h3')
    expect(done.code).toBe(1)
    expect(done.stderr).toContain('too little')
    expect(await filesOn(2)).toBe(before)
    expect(await nodesOf('big')).toBe('h1,h3')
  } finally {
    await lab.exec(2, 'rm /fill')
  }
})

test('names and choices that cannot be are refused with what to do', async () => {
  for (const [words, code, name] of [
    [['copy', 'nope', '--from', 'h1', '--to', 'h2'], 3, 'MODEL_NOT_FOUND'],
    [['copy', 'tiny', '--from', 'h1', '--to', 'h1'], 2, 'BAD_INPUT'],
    [['copy', 'tiny', '--from', 'h9', '--to', 'h2'], 3, 'NODE_NOT_FOUND'],
    [['pull', 'a b'], 2, 'BAD_INPUT'],
    [['pull', 'unheard-of'], 3, 'MODEL_NOT_FOUND'],
    [['pull', 'tiny', '--replicas', '9'], 4, 'NO_CANDIDATE'],
    [['remove', 'nope', '--yes'], 3, 'MODEL_NOT_FOUND'],
    [['show', 'nope'], 3, 'MODEL_NOT_FOUND'],
    [['import', '/nowhere.tar'], 1, 'STATE_IO'],
  ] as const) {
    const done = await model(...words)
    expect([words, done.code, done.stderr]).toEqual([words, code, expect.stringContaining(name)])
  }
})
