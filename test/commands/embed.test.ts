import {afterEach, expect, test} from 'vitest'
import {clusterHome} from '../support/cluster-home.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli} from '../support/run-cli.ts'
import type {TempHome} from '../support/temp-home.ts'

let node: FakeOllama
let home: TempHome
afterEach(async () => {
  await node.close()
  home.dispose()
})
async function start() {
  node = await startFakeOllama({models: ['tiny', {name: 'embedder', capabilities: ['embedding']}]})
  home = clusterHome([node])
  return home.env
}
const inputs = () => node.requests.map(({body}) => body?.input)

test('each text becomes one line with a JSON array', async () => {
  const env = await start()
  const {code, stdout} = await runCli(['embed', 'embedder', 'a', 'b c'], {env})
  expect(code).toBe(0)
  const vectors = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(vectors).toHaveLength(2)
  for (const vector of vectors) expect(vector[0]).toBeTypeOf('number')
  expect(inputs()).toEqual([['a', 'b c']])
})

test('stdin is one text, or one for each line', async () => {
  const env = await start()
  await runCli(['embed', 'embedder'], {env, stdin: 'a\nb\n'})
  const {stdout} = await runCli(['embed', 'embedder', '--lines', '--json'], {
    env,
    stdin: 'a\n\nb\n',
  })
  expect(inputs()).toEqual([['a\nb'], ['a', 'b']])
  expect(JSON.parse(stdout)).toMatchObject({
    model: 'embedder',
    node: 'n1',
    embeddings: [expect.any(Array), expect.any(Array)],
    attempts: [{node: 'n1', ok: true}],
  })
})

test('no text, and a model that cannot do it, are errors', async () => {
  const env = await start()
  expect(await runCli(['embed', 'embedder'], {env})).toMatchObject({code: 2})
  const {code, stderr} = await runCli(['embed', 'tiny', 'a'], {env})
  expect(code).toBe(2)
  expect(stderr).toMatch(/REQUEST_REFUSED/)
})
