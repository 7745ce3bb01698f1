import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {join} from 'node:path'
import {afterAll, beforeAll, expect, test} from 'vitest'
import {clusterHome} from '../support/cluster-home.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli} from '../support/run-cli.ts'
import type {TempHome} from '../support/temp-home.ts'

let node: FakeOllama
let home: TempHome
beforeAll(async () => {
  node = await startFakeOllama({models: ['tiny', 'other']})
  home = clusterHome([node])
})
afterAll(async () => {
  await node.close()
  home.dispose()
})

/** Help, tables, errors, live progress, a line that waits, and a question: everything that is drawn. */
const COMMANDS = [
  ['--help'],
  ['node'],
  ['node', 'add', '--help'],
  ['nosuch'],
  ['node', 'show', 'nope'],
  ['node', 'list'],
  ['status'],
  ['model', 'list'],
  ['model', 'show', 'tiny'],
  ['doctor'],
  ['plan'],
  ['diff'],
  ['audit'],
  ['lock', 'status'],
  ['cluster', 'list'],
  ['config', 'show'],
  ['route', 'explain', 'tiny', 'hi'],
  ['run', 'tiny', 'hi', '--explain', '--verbose'],
  ['bench', '--rounds', '1', '--sizes', '8', '--most-at-once', '1', '--model', 'tiny'],
  ['cluster', 'remove', 'default'],
]

/** The escape sequences that a command writes at a terminal; a question is answered with Ctrl-C. */
async function escapes(words: readonly string[], env: Record<string, string>): Promise<string[]> {
  const run = join(import.meta.dirname, '../../bin/run.js')
  const command = [process.execPath, run, ...words].map((word) => `'${word}'`).join(' ')
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    env: {...home.env, TERM: 'xterm-256color', COLORTERM: 'truecolor', ...env},
  })
  let out = ''
  child.stdout.on('data', (text) => {
    if (!out.includes('(y/N)') && String(text).includes('(y/N)')) child.stdin.write('\u0003')
    out += text
  })
  await once(child, 'close')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return out.match(/\u001b(?:\[[0-9;?]*[@-~]|[^[])/g) ?? []
}

const isColor = (sequence: string) => sequence.endsWith('m')
/** The 16 colours of every terminal, bold, dim and the like, and their ends. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const SIXTEEN = /^\u001b\[(?:[0-9]|2[1-9]|3[0-79]|4[0-79]|9[0-7]|10[0-7])?m$/

test('at a terminal of many colours nothing uses more than 16 of them', async () => {
  const all = await Promise.all(COMMANDS.map((words) => escapes(words, {})))
  const used = all.flat().filter(isColor)
  const colored = all.filter((sequences) => sequences.some(isColor))
  expect(colored.length).toBeGreaterThan(5)
  expect(used.filter((sequence) => !SIXTEEN.test(sequence))).toEqual([])
}, 60_000)

test.each([
  ['NO_COLOR', {NO_COLOR: '1'}],
  ['FORCE_COLOR=0', {FORCE_COLOR: '0'}],
  ['the theme none', {OLLAMAX_THEME: 'none'}],
])(
  'with %s nothing is coloured',
  async (_, env: Record<string, string>) => {
    const all = await Promise.all(COMMANDS.map((words) => escapes(words, env)))
    expect(all.flat().filter(isColor)).toEqual([])
  },
  60_000,
)

test('on a dumb terminal nothing but a question moves the cursor', async () => {
  const all = await Promise.all(
    COMMANDS.slice(0, -1).map((words) => escapes(words, {TERM: 'dumb'})),
  )
  expect(all.flat()).toEqual([])
  expect((await escapes(COMMANDS.at(-1) ?? [], {TERM: 'dumb'})).filter(isColor)).toEqual([])
}, 60_000)

test('without a terminal there is not one escape sequence', async () => {
  for (const words of COMMANDS) {
    const {stdout, stderr} = await runCli(words, {env: {...home.env, TERM: 'xterm-256color'}})
    expect(`${stdout}${stderr}`, words.join(' ')).not.toContain('\u001b')
  }
}, 60_000)
