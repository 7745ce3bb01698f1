import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, expect, test} from 'vitest'
import {runCli} from '../support/run-cli.ts'
import {tempHome} from '../support/temp-home.ts'

const home = tempHome()
const env = {
  ...home.env,
  // npm and pip are set up in the real home: from where they fetch is this machine's affair.
  HOME: process.env.HOME ?? home.dir,
  ...(process.env.NODE_EXTRA_CA_CERTS
    ? {NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS}
    : {}),
  // No Ollama of the machine that runs this, neither its server nor its store.
  OLLAMAX_LOCAL_OLLAMA: 'http://127.0.0.1:9',
  OLLAMA_MODELS: join(home.dir, 'store'),
}
const cli = (...args: string[]) => runCli(args, {env, timeoutMs: 280_000})
afterAll(async () => {
  await cli('engine', 'stop')
  home.dispose()
})

test('a machine with nothing fetches the embedded node and its model, and a real model answers', async () => {
  const {code, stdout, stderr} = await cli('quickstart')
  expect(stderr).toContain('it is there to try the tool, not to work with')
  expect(code).toBe(0)
  // Greedy decoding: SmolLM2-135M says this on every machine that was tried.
  expect(stdout).toContain('The capital of France is Paris.')
  expect(stdout).toMatch(
    /node embedded \(smollm2:135m at http:\/\/127\.0\.0\.1:\d+\) made these \d+ tokens, [\d.]+ tokens\/s/,
  )
  const cluster = readFileSync(join(home.dir, 'ollamax/clusters/default.yaml'), 'utf8')
  expect(cluster).toMatch(/name: embedded\n\s+embedded: true/)
}, 290_000)

test('a second time it answers again and changes nothing', async () => {
  const {code, stdout} = await cli('quickstart', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    node: 'embedded',
    kind: 'embedded',
    added: false,
    model: 'smollm2:135m',
    text: expect.stringMatching(/\S/),
  })
})

test('the embedded node is a node like any other: run uses it', async () => {
  const {code, stdout} = await cli(
    'run',
    'smollm2:135m',
    'What is the capital of France?',
    '--option',
    'temperature=0',
  )
  expect([code, stdout.trim()]).toEqual([0, 'The capital of France is Paris.'])
})

test('nothing to be had is a failure that says what was tried', async () => {
  const poor = tempHome()
  const {code, stderr} = await runCli(['quickstart'], {
    env: {...poor.env, ...env, HOME: poor.dir, OLLAMAX_HOME: poor.dir, PATH: '/nowhere'},
  })
  poor.dispose()
  expect(code).toBe(1)
  expect(stderr).toContain('ENGINE_MISSING')
  expect(stderr).toContain('npm')
})
