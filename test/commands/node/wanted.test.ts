import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {type FakeOllama, startFakeOllama} from '../../support/fake-ollama.ts'
import {runCli} from '../../support/run-cli.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

// node list, show, rename, label, drain and undrain: what is wanted of nodes, without asking them.

let home: TempHome
let file: string
let up: FakeOllama
beforeEach(async () => {
  home = tempHome()
  up = await startFakeOllama({version: '0.33.0'})
  const directory = join(home.dir, 'ollamax/clusters')
  mkdirSync(directory, {recursive: true})
  file = join(directory, 'default.yaml')
  writeFileSync(
    file,
    `apiVersion: ollamax/v1
kind: Cluster
nodes:
  - {name: gpu-1, url: "${up.url}", labels: {tier: fast}} # the new one
  - name: gone # nobody knows where
    url: http://127.0.0.1:1
`,
  )
})
afterEach(async () => {
  await up.close()
  home.dispose()
})

const cli = (...args: string[]) => runCli(args, {env: home.env})
const json = async (...args: string[]) => JSON.parse((await cli(...args, '--json')).stdout)

test('list asks nobody: what was never looked at is unknown', async () => {
  const {code, stdout} = await cli('node', 'list')
  expect(code).toBe(0)
  expect(stdout).toBe(
    `gone\thttp://127.0.0.1:1\tunknown\t-\t-\t-\t-\t-\ngpu-1\t${up.url}\tunknown\t-\t-\t-\ttier=fast\t-\n`,
  )
  expect(up.requests).toHaveLength(0)
})

test('list --live looks, and the next list remembers what it saw', async () => {
  await cli('node', 'list', '--live')
  const asked = up.requests.length
  const {nodes} = await json('node', 'list')
  expect(up.requests).toHaveLength(asked)
  expect(nodes[0]).toMatchObject({name: 'gone', state: 'down'})
  expect(nodes[0].reason).toContain('nothing listens')
  expect(nodes[1]).toMatchObject({name: 'gpu-1', state: 'up', version: '0.33.0'})
  expect(Date.parse(nodes[1].seenAt)).toBeGreaterThan(0)
})

test('a renamed node is known as before, without being asked again', async () => {
  const {models} = JSON.parse(await (await fetch(`${up.url}/api/tags`)).text())
  expect((await cli('run', models[0].name, 'hi', '--node', 'gpu-1')).code).toBe(0)
  await cli('node', 'list', '--live')
  const asked = up.requests.length
  await cli('node', 'rename', 'gpu-1', 'big')
  const {nodes} = await json('node', 'list')
  expect(nodes[0]).toMatchObject({name: 'big', state: 'up', version: '0.33.0'})
  expect(up.requests).toHaveLength(asked)
  const rates = readFileSync(join(home.dir, 'ollamax/cache/rates/default.json'), 'utf8')
  expect(Object.keys(JSON.parse(rates))).toEqual(['big'])
})

test('what a run saw on its way is remembered too', async () => {
  const {models} = JSON.parse(await (await fetch(`${up.url}/api/tags`)).text())
  const ran = await cli('run', models[0].name, 'hi')
  expect(ran.code, ran.stderr).toBe(0)
  expect((await json('node', 'list', 'gpu-1')).nodes[0]).toMatchObject({state: 'up'})
})

test('list chooses by glob and label', async () => {
  expect((await json('node', 'list', 'g*', '--label', '!tier')).nodes).toHaveLength(1)
  const none = await cli('node', 'list', '--label', 'tier=slow')
  expect([none.code, none.stderr]).toEqual([3, expect.stringContaining('NODE_NOT_FOUND')])
})

test('show tells one node, and the nearest name where there is none', async () => {
  const shown = await json('node', 'show', 'gpu-1', '--live')
  expect(shown).toMatchObject({
    cluster: 'default',
    node: {name: 'gpu-1', kind: 'direct', labels: {tier: 'fast'}, drained: false},
    last: {state: 'up', version: '0.33.0'},
  })
  const wrong = await cli('node', 'show', 'gpu1')
  expect(wrong.code).toBe(3)
  expect(wrong.stderr).toContain('did you mean "gpu-1"?')
})

test('rename, label and drain change the file and nothing else in it', async () => {
  expect((await cli('node', 'rename', 'gpu-1', 'big')).code).toBe(0)
  expect((await cli('node', 'label', 'big', 'tier-', 'rack=r2')).stdout).toBe(
    'big\tlabelled\track=r2\n',
  )
  expect((await cli('node', 'drain', 'g*')).stdout).toBe('gone\tdrained\n')
  const text = readFileSync(file, 'utf8')
  expect(text).toContain('# the new one')
  expect(text).toContain('# nobody knows where')
  const {nodes} = await json('node', 'list')
  expect(nodes).toMatchObject([
    {name: 'big', labels: {rack: 'r2'}, drained: false},
    {name: 'gone', drained: true},
  ])
  expect((await cli('node', 'undrain', '*')).stdout).toBe('big\tunchanged\ngone\tundrained\n')
})

test('a change that cannot be leaves the file as it was', async () => {
  const before = readFileSync(file, 'utf8')
  for (const [words, code, name] of [
    [['node', 'rename', 'gpu-1', 'gone'], 5, 'NODE_EXISTS'],
    [['node', 'rename', 'gpu-1', 'a b'], 2, 'BAD_INPUT'],
    [['node', 'rename', 'nope', 'x'], 3, 'NODE_NOT_FOUND'],
    [['node', 'label', 'gpu-1', 'oops'], 2, 'BAD_INPUT'],
    [['node', 'drain'], 2, 'BAD_INPUT'],
    [['node', 'drain', 'gpu-1', 'nope'], 3, 'NODE_NOT_FOUND'],
  ] as const) {
    const result = await cli(...words)
    expect([words, result.code]).toEqual([words, code])
    expect(result.stderr).toContain(name)
  }
  expect(readFileSync(file, 'utf8')).toBe(before)
})

test('a cluster without nodes says how to add one', async () => {
  const empty = tempHome()
  const {code, stdout, stderr} = await runCli(['node', 'list'], {env: empty.env})
  empty.dispose()
  expect([code, stdout]).toEqual([0, ''])
  expect(stderr).toContain('ollamax node add')
})
