import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli, startCli} from '../support/run-cli.ts'
import {type TempHome, tempHome} from '../support/temp-home.ts'
import {waitFor} from '../support/wait-for.ts'

let home: TempHome
let good: FakeOllama
let hung: FakeOllama
beforeEach(async () => {
  home = tempHome()
  ;[good, hung] = await Promise.all([
    startFakeOllama({version: '0.33.0'}),
    startFakeOllama({fault: {kind: 'hang'}}),
  ])
  const directory = join(home.dir, 'ollamax/clusters')
  mkdirSync(directory, {recursive: true})
  writeFileSync(
    join(directory, 'default.yaml'),
    `apiVersion: ollamax/v1
kind: Cluster
nodes:
  - {name: good, url: "${good.url}"}
  - {name: hung, url: "${hung.url}", labels: {bad: yes-it-is}}
  - {name: gone, url: "http://127.0.0.1:1", labels: {bad: yes-it-is}, drained: true}
`,
  )
})
afterEach(async () => {
  await Promise.all([good.close(), hung.close()])
  home.dispose()
})

const cli = (...args: string[]) => runCli(args, {env: home.env})

test('each node is up or down with its reason, and that is no failure', async () => {
  const {code, stdout} = await cli('status', '--json', '--timeout', '400ms')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    cluster: 'default',
    up: 1,
    down: 2,
    nodes: [
      {name: 'gone', state: 'down', code: 'NODE_UNREACHABLE', drained: true},
      {name: 'good', state: 'up', version: '0.33.0', inFlight: 0, loaded: []},
      {name: 'hung', state: 'down', code: 'TIMEOUT'},
    ],
  })
})

test('--check fails for a node that is down, unless it is drained', async () => {
  const words = ['status', '--check', '--timeout', '400ms']
  expect((await cli(...words)).code).toBe(4)
  expect((await cli(...words, 'good', 'gone')).code).toBe(0)
})

test('piped: a line per node with its loaded models', async () => {
  const model = JSON.parse(await (await fetch(`${good.url}/api/tags`)).text()).models[0].name
  await fetch(`${good.url}/api/generate`, {method: 'POST', body: JSON.stringify({model})})
  const {stdout} = await cli('status', 'good')
  const [name, state, version, , models, loaded, inFlight, reason] = stdout.trimEnd().split('\t')
  expect([name, state, version, inFlight, reason]).toEqual(['good', 'up', '0.33.0', '0', '-'])
  expect(Number(models)).toBeGreaterThan(0)
  expect(loaded).toContain(model)
})

test('--watch goes on until it is interrupted, one JSON line each time', async () => {
  const watch = startCli(['status', 'good', '--watch', '--interval', '200ms', '--json'], {
    env: home.env,
  })
  const lines = () => watch.stdout().split('\n').filter(Boolean)
  await waitFor('three lines', () => lines().length >= 3)
  watch.child.kill('SIGINT')
  expect((await watch.ended).code).toBe(130)
  const parsed = lines()
    .slice(0, 3)
    .map((line) => JSON.parse(line))
  expect(parsed.map((status) => status.up)).toEqual([1, 1, 1])
})

test('what status saw is what node list knows', async () => {
  await cli('status', '--timeout', '400ms')
  const {nodes} = JSON.parse((await cli('node', 'list', '--json')).stdout)
  expect(nodes.map((node: {state: string}) => node.state)).toEqual(['down', 'up', 'down'])
})
