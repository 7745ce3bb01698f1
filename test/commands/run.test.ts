import {spawn} from 'node:child_process'
import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, expect, test} from 'vitest'
import {clusterHome} from '../support/cluster-home.ts'
import type {FakeOptions} from '../support/fake-ollama/options.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli, startCli} from '../support/run-cli.ts'
import type {TempHome} from '../support/temp-home.ts'
import {waitFor} from '../support/wait-for.ts'

const nodes: FakeOllama[] = []
const homes: TempHome[] = []
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()))
  for (const home of homes.splice(0)) home.dispose()
})

async function start(...options: FakeOptions[]) {
  const started = await Promise.all(options.map((one) => startFakeOllama(one)))
  nodes.push(...started)
  const home = clusterHome(started)
  homes.push(home)
  const [first] = started
  if (!first) throw new Error('no node')
  return {all: started, first, env: home.env, home}
}

const bodyOf = (node: FakeOllama) =>
  node.requests.find(({path}) => path === '/api/generate')?.body ?? {}

test('the answer is all that stands on stdout, and nothing stands on stderr', async () => {
  const {env} = await start({answer: 'grüß dich 🙂'})
  expect(await runCli(['run', 'tiny', 'hi'], {env})).toEqual({
    code: 0,
    stdout: 'grüß dich 🙂\n',
    stderr: '',
  })
})

test('tokens arrive one by one, not all at the end', async () => {
  const {env} = await start({decodeTokensPerS: 20, answerTokens: 10})
  const cli = startCli(['run', 'tiny', 'hi'], {env})
  cli.child.stdin.end()
  const pieces: string[] = []
  cli.child.stdout.on('data', (bytes: Buffer) => pieces.push(bytes.toString()))
  expect((await cli.ended).code).toBe(0)
  expect(pieces.length).toBeGreaterThan(5)
})

test('the prompt comes from the arguments, from stdin, or from both', async () => {
  const {env, first} = await start({})
  const prompts = () => first.requests.map(({body}) => body?.prompt)
  await runCli(['run', 'tiny', 'two', 'words'], {env})
  await runCli(['run', 'tiny'], {env, stdin: 'from stdin\n'})
  await runCli(['run', 'tiny', 'sum up:'], {env, stdin: 'line 1\nline 2\n'})
  expect(prompts()).toEqual(['two words', 'from stdin', 'sum up:\nline 1\nline 2'])
})

test('flags become the request, and what was not asked for is not in it', async () => {
  const {env, first, home} = await start({
    models: [{name: 'tiny', capabilities: ['completion', 'vision', 'thinking']}],
  })
  const schema = join(home.dir, 'schema.json')
  const image = join(home.dir, 'a.png')
  writeFileSync(schema, '{"type": "object", "properties": {"a": {"type": "string"}}}')
  writeFileSync(image, 'picture')
  const words = [
    'run',
    'tiny',
    'hi',
    '--system',
    'be brief',
    '--option',
    'temperature=0',
    '--option',
    'stop=a',
  ]
  words.push('--option', 'stop=b', '--num-ctx', '2048', '--seed', '7', '--format', schema)
  words.push('--image', image, '--no-think', '--keep-alive', '10m')
  expect(await runCli(words, {env})).toMatchObject({code: 0, stderr: ''})
  expect(bodyOf(first)).toEqual({
    model: 'tiny',
    prompt: 'hi',
    stream: true,
    system: 'be brief',
    options: {temperature: 0, stop: ['a', 'b'], num_ctx: 2048, seed: 7},
    format: {type: 'object', properties: {a: {type: 'string'}}},
    images: [Buffer.from('picture').toString('base64')],
    think: false,
    keep_alive: '10m',
  })
})

test('--json prints one object with node, answer, counts, durations and attempts', async () => {
  const {env} = await start({answer: 'yes'}, {answer: 'yes'})
  const {code, stdout, stderr} = await runCli(['run', 'tiny', 'hi', '--json'], {env})
  expect({code, stderr}).toEqual({code: 0, stderr: ''})
  expect(JSON.parse(stdout)).toMatchObject({
    model: 'tiny',
    node: expect.stringMatching(/^n[12]$/),
    response: 'yes',
    doneReason: 'stop',
    counts: {prompt: expect.any(Number), answer: expect.any(Number)},
    durations: {totalMs: expect.any(Number)},
    attempts: [{ok: true}],
  })
})

test('--verbose and --explain speak on stderr', async () => {
  const {env} = await start({answer: 'yes'}, {answer: 'yes'})
  const {stdout, stderr} = await runCli(['run', 'tiny', 'hi', '--verbose', '--explain'], {env})
  expect(stdout).toBe('yes\n')
  expect(stderr).toMatch(/^policy expected-time\nNODE +MODEL +BUSY +WAIT/)
  expect(stderr).toMatch(/^n1 +cold/m)
  expect(stderr).toMatch(/^eval count: +\d+ token/m)
  expect(stderr).toMatch(/^node: +n[12]$/m)
})

const mistakes: ReadonlyArray<readonly [string, readonly string[], number, RegExp]> = [
  ['an empty prompt', [], 2, /the prompt is empty[\s\S]*BAD_INPUT/],
  ['an unknown flag', ['hi', '--tempreture', '3'], 2, /tempreture/],
  ['an option without a value', ['hi', '--option', 'temperature'], 2, /is no option/],
  [
    'a format that is no file',
    ['hi', '--format', '/nope.json'],
    2,
    /--format \/nope.json cannot be read/,
  ],
  ['a format that is no schema', ['hi', '--format', 'SCHEMA'], 2, /is no JSON schema/],
  ['an image that is no file', ['hi', '--image', '/nope.png'], 2, /--image \/nope.png/],
  ['a keep-alive that is none', ['hi', '--keep-alive', 'soon'], 2, /"soon" is not a duration/],
  ['a timeout without unit', ['hi', '--timeout', '5'], 2, /say the unit/],
  ['a policy that is none', ['hi', '--policy', 'best', '--node', 'n1'], 2, /no policy "best"/],
  ['a node that is none', ['hi', '--node', 'x'], 3, /no node "x"[\s\S]*NODE_NOT_FOUND/],
  ['an option of the wrong type', ['hi', '--option', 'temperature=hot'], 2, /REQUEST_REFUSED/],
]

test.each(mistakes)('%s has its own error and exit code', async (_, words, code, text) => {
  const {env, home} = await start({})
  const schema = join(home.dir, 'schema.json')
  writeFileSync(schema, '{"type": "objekt"}')
  const args = words.map((word) => (word === 'SCHEMA' ? schema : word))
  const result = await runCli(['run', 'tiny', ...args], {env})
  expect(result.code).toBe(code)
  expect(result.stderr).toMatch(text)
  if (code !== 0) expect(result.stdout).toBe('')
})

test('an error with --json is one object on stdout', async () => {
  const {env} = await start({})
  const {code, stdout} = await runCli(['run', 'tyni', 'hi', '--json'], {env})
  expect(code).toBe(3)
  expect(JSON.parse(stdout)).toMatchObject({
    error: {code: 'MODEL_NOT_FOUND', details: {near: 'tiny:latest', takers: ['n1']}},
  })
})

test('a node that fails is named on stderr when another one answers', async () => {
  const {env} = await start(
    {answer: 'yes', fault: {kind: 'status', status: 500, times: 1}},
    {answer: 'yes'},
  )
  const {code, stdout, stderr} = await runCli(['run', 'tiny', 'hi', '--policy', 'round-robin'], {
    env,
  })
  expect({code, stdout}).toEqual({code: 0, stdout: 'yes\n'})
  expect(stderr).toMatch(/^(n1: .*; asking n2 instead\n)?$/)
})

test('an answer that breaks after its beginning exits non-zero and says how much came', async () => {
  const fault = {kind: 'cut', afterTokens: 2, how: 'fin'} as const
  const {env} = await start({fault})
  const {code, stdout, stderr} = await runCli(['run', 'tiny', 'hi'], {env})
  expect(code).toBe(4)
  expect(stderr).toMatch(new RegExp(`after ${stdout.trimEnd().length} characters in 2 pieces`))
  expect(stderr).toMatch(/STREAM_CUT/)
})

test('Ctrl-C cancels upstream and exits 130', async () => {
  const {env, first} = await start({decodeTokensPerS: 10, answerTokens: 1000})
  const cli = startCli(['run', 'tiny', 'hi'], {env})
  cli.child.stdin.end()
  await waitFor('the first token', () => cli.stdout())
  cli.child.kill('SIGINT')
  expect(await cli.ended).toMatchObject({code: 130, stderr: ''})
  await waitFor('the node to see it', () => first.cancelled === 1)
})

test('Ctrl-C while the model is loading ends the load as well', async () => {
  const {env, first} = await start({loadMs: 60_000})
  const cli = startCli(['run', 'tiny', 'hi'], {env})
  cli.child.stdin.end()
  await waitFor('the request', () => first.requests.length === 1)
  cli.child.kill('SIGINT')
  expect((await cli.ended).code).toBe(130)
  await waitFor('the node to see it', () => first.cancelled === 1)
})

test('a closed pipe ends it quietly and cancels upstream', async () => {
  const {env, first} = await start({decodeTokensPerS: 50, answerTokens: 1000})
  const run = join(import.meta.dirname, '../../bin/run.js')
  const pipe = `"$0" "$1" run tiny hi </dev/null | head -c 5; echo " $\{PIPESTATUS[0]}"`
  const child = spawn('bash', ['-c', pipe, process.execPath, run], {env})
  let out = ''
  let err = ''
  child.stdout.on('data', (text) => {
    out += text
  })
  child.stderr.on('data', (text) => {
    err += text
  })
  await new Promise((resolve) => child.once('close', resolve))
  expect(out).toMatch(/^.{5} 0\n$/s)
  expect(err).toBe('')
  await waitFor('the node to see it', () => first.cancelled === 1)
})

test('40 at once over 4 equal nodes give each 8 to 12', async () => {
  const {all, env} = await start(...Array.from({length: 4}, () => ({decodeTokensPerS: 20})))
  const done = await Promise.all(
    Array.from({length: 40}, () => runCli(['run', 'tiny', 'hi'], {env})),
  )
  expect(done.map(({code, stderr}) => ({code, stderr}))).toEqual(
    done.map(() => ({code: 0, stderr: ''})),
  )
  for (const node of all) {
    const given = node.requests.filter(({path}) => path === '/api/generate').length
    expect(given).toBeGreaterThanOrEqual(8)
    expect(given).toBeLessThanOrEqual(12)
  }
}, 120_000)

test('a process that is killed gives its place back', async () => {
  const {all, env} = await start(
    {decodeTokensPerS: 20, answerTokens: 1000},
    {decodeTokensPerS: 20, answerTokens: 1000},
  )
  const begin = async (count: number) => {
    const cli = startCli(['run', 'tiny', 'hi'], {env})
    cli.child.stdin.end()
    await waitFor('its first token', () => cli.stdout(), {timeoutMs: 20_000})
    expect(all.reduce((sum, node) => sum + running(node), 0)).toBe(count)
    return cli
  }
  const running = (node: FakeOllama) =>
    node.requests.filter(({path, outcome}) => path === '/api/generate' && outcome === 'open').length
  const first = await begin(1)
  const second = await begin(2)
  expect(all.map(running)).toEqual([1, 1])
  const at = all.findIndex((node) => running(node) === 1)
  first.child.kill('SIGKILL')
  await waitFor('its end', () => all.reduce((sum, node) => sum + running(node), 0) === 1)
  const third = await begin(2)
  expect(all.map(running)).toEqual([1, 1])
  expect(at).toBeGreaterThanOrEqual(0)
  for (const cli of [second, third]) cli.child.kill('SIGKILL')
}, 60_000)

test('a model without a name is a mistake, and not looked for on the nodes', async () => {
  const {env} = await start({})
  const {code, stderr} = await runCli(['run', '', 'hi'], {env})
  expect([code, stderr]).toEqual([2, expect.stringContaining('the name of the model is empty')])
})
