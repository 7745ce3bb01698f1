import {spawn} from 'node:child_process'
import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli} from '../support/run-cli.ts'
import {type TempHome, tempHome} from '../support/temp-home.ts'
import {waitFor} from '../support/wait-for.ts'

let home: TempHome
let node: FakeOllama
beforeEach(async () => {
  node = await startFakeOllama({models: [{name: 'small', capabilities: ['completion']}]})
  home = tempHome()
})
afterEach(async () => {
  await node.close()
  home.dispose()
})
const env = () => ({
  ...home.env,
  OLLAMAX_LOCAL_OLLAMA: node.url,
  SHELL: '/bin/bash',
  TERM: 'xterm',
  XDG_DATA_HOME: join(home.dir, 'data'),
})

test('with all flags it goes from nothing to a node, an answer, a gateway and a completing shell', async () => {
  const flags = ['--prompt', 'hello', '--explain', '--serve', '--completion']
  const {code, stdout, stderr} = await runCli(['tour', '--start', 'here', ...flags], {env: env()})
  expect({code, stderr}).toMatchObject({code: 0})
  const commands = [...stdout.matchAll(/^\$ (.*)$/gm)].map(([, line]) => line)
  expect(commands).toEqual([
    'ollamax quickstart',
    'ollamax run small:latest hello',
    'ollamax status',
    'ollamax route explain small:latest hello',
    'ollamax serve --listen 127.0.0.1:0',
    expect.stringMatching(/^OLLAMA_HOST=127\.0\.0\.1:\d+ ollama run small:latest "hello"$/),
    'ollamax completion bash --install',
  ])
  const asked = node.requests.filter(({path}) => path === '/api/generate')
  expect(asked.map(({body}) => body?.prompt)).toContain('hello')
  expect(existsSync(join(home.dir, 'data/bash-completion/completions/ollamax'))).toBe(true)
  // Nothing of the gateway is left.
  const address = /OLLAMA_HOST=(\S+)/.exec(stdout)?.[1]
  await expect(fetch(`http://${address}/api/version`)).rejects.toThrow()
}, 60_000)

test('without a terminal it names the flags that are missing and begins nothing', async () => {
  const {code, stdout, stderr} = await runCli(['tour', '--start', 'here'], {env: env()})
  expect({code, stdout}).toEqual({code: 2, stdout: ''})
  expect(stderr).toContain('pass --prompt TEXT')
  expect(stderr).not.toContain('--start')
  expect(node.requests).toEqual([])
})

test('--json prints what was done and nothing else', async () => {
  await runCli(
    ['tour', '--start', 'here', '--prompt', 'x', '--no-explain', '--no-serve', '--no-completion'],
    {
      env: env(),
    },
  )
  const flags = [
    '--from',
    'prompt',
    '--prompt',
    'x',
    '--no-explain',
    '--no-serve',
    '--no-completion',
  ]
  const {code, stdout} = await runCli(['tour', ...flags, '--json'], {env: env()})
  expect(code).toBe(0)
  expect(JSON.parse(stdout).steps).toMatchObject([
    {step: 'prompt', outcome: 'done', commands: ['ollamax run small:latest x']},
    {step: 'explain', outcome: 'skipped'},
    {step: 'serve', outcome: 'skipped'},
    {step: 'completion', outcome: 'skipped'},
  ])
})

/** The CLI at a terminal of its own, by util-linux's `script`. */
function atTerminal(...words: string[]) {
  const run = join(import.meta.dirname, '../../bin/run.js')
  const command = [process.execPath, run, ...words].map((word) => `'${word}'`).join(' ')
  const child = spawn('script', ['-qefc', command, '/dev/null'], {env: env()})
  let out = ''
  child.stdout.on('data', (text) => {
    out += text
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  return {
    press: (keys: string) => void child.stdin.write(keys),
    sees: (text: string) =>
      waitFor(text, () => out.includes(text)).catch((cause) => {
        throw new Error(`it shows ${JSON.stringify(out)}`, {cause})
      }),
    ended,
  }
}

test('at a terminal the first choice is the Enter key, and Ctrl-C at a question says how to go on', async () => {
  const tour = atTerminal('tour')
  await tour.sees('Where should models run?')
  tour.press('\r')
  await tour.sees('$ ollamax quickstart')
  await tour.sees('What do you want to ask small:latest?')
  tour.press('who are you\r')
  await tour.sees("$ ollamax run small:latest 'who are you'")
  await tour.sees('which one would answer?')
  tour.press('\u0003')
  await tour.sees('Go on from here with: ollamax tour --from explain')
  expect(await tour.ended).toBe(130)
}, 60_000)

test('Ctrl-C while a command runs ends that command in order, and the tour', async () => {
  await runCli(['quickstart'], {env: env()})
  await node.set({decodeTokensPerS: 10, answerTokens: 500})
  const tour = atTerminal('tour', '--from', 'prompt', '--prompt', 'long')
  await tour.sees('$ ollamax run small:latest long')
  await waitFor('the request', () => node.requests.some(({body}) => body?.prompt === 'long'))
  tour.press('\u0003')
  await tour.sees('Go on from here with: ollamax tour --from prompt')
  expect(await tour.ended).toBe(130)
  await waitFor('the node to see it', () => node.cancelled === 1)
}, 60_000)
