import {spawn} from 'node:child_process'
import {join} from 'node:path'
import {afterEach, expect, test} from 'vitest'
import {clusterHome} from '../support/cluster-home.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli} from '../support/run-cli.ts'
import type {TempHome} from '../support/temp-home.ts'
import {waitFor} from '../support/wait-for.ts'

let node: FakeOllama
let home: TempHome
afterEach(async () => {
  await node.close()
  home.dispose()
})

/** The CLI at a terminal of its own, by util-linux's `script`. */
function atTerminal(...words: string[]) {
  const run = join(import.meta.dirname, '../../bin/run.js')
  const command = [process.execPath, run, ...words].map((word) => `'${word}'`).join(' ')
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    env: {...home.env, TERM: 'xterm'},
  })
  let out = ''
  child.stdout.on('data', (text) => {
    out += text
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  return {type: (text: string) => void child.stdin.write(text), out: () => out, ended}
}
const answers = () => node.requests.filter(({path}) => path === '/api/chat')

test('line by line: Ctrl-C ends the answer and not the chat, Ctrl-D leaves', async () => {
  node = await startFakeOllama({decodeTokensPerS: 20, answerTokens: 500})
  home = clusterHome([node])
  const chat = atTerminal('chat', 'tiny', '--plain')
  await waitFor('the prompt', () => chat.out().includes('>>> '))
  chat.type('hello\r')
  await waitFor('an answer', () => answers().length === 1)
  const before = chat.out().length
  await waitFor('its tokens', () => chat.out().length > before + 20)
  chat.type('\u0003')
  await waitFor('the node to see it', () => node.cancelled === 1)
  await waitFor('the remark', () => chat.out().includes('(cancelled)'))

  await node.set({answerTokens: 2, decodeTokensPerS: 0})
  const until = chat.out().length
  chat.type('again\r')
  await waitFor('the next answer', () => answers()[1]?.outcome === 'answered')
  // What was cancelled is not part of the conversation.
  expect(answers()[1]?.body?.messages).toEqual([{role: 'user', content: 'again'}])
  await waitFor('the prompt again', () => chat.out().slice(until).includes('>>> '))
  chat.type('\u0004')
  expect(await chat.ended).toBe(0)
})

test('run without a prompt begins a chat at a terminal', async () => {
  node = await startFakeOllama({})
  home = clusterHome([node])
  const chat = atTerminal('run', 'tiny')
  await waitFor('the prompt', () => chat.out().includes('>>>'))
  chat.type('/bye\r')
  expect(await chat.ended).toBe(0)
})

test('what a model says cannot move the cursor or fill the clipboard; piped, it is passed on as it is', async () => {
  const answer = 'a\u001b]52;c;eA==\u0007 \u001b[2Jb'
  node = await startFakeOllama({answer})
  home = clusterHome([node])
  const shown = atTerminal('run', 'tiny', 'hi')
  expect(await shown.ended).toBe(0)
  expect(shown.out()).toContain('a]52;c;eA== [2Jb')
  const piped = await runCli(['run', 'tiny', 'hi'], {env: home.env})
  expect(piped.stdout).toBe(`${answer}\n`)
})

test('a terminal is told what is waited for, and is asked whether to pull', async () => {
  node = await startFakeOllama({models: [], pullable: ['tiny'], loadMs: 700, answer: 'yes'})
  home = clusterHome([node])
  const cli = atTerminal('run', 'tiny', 'hi')
  await waitFor('the question', () => cli.out().includes('Pull it to n1?'))
  cli.type('y\r')
  expect(await cli.ended).toBe(0)
  expect(node.requests.map(({path}) => path)).toContain('/api/pull')
  expect(cli.out()).toMatch(/n1: waiting for the first token/)
  expect(cli.out()).toMatch(/yes\r\n/)
  expect(cli.out()).not.toMatch(/instead/)
})
