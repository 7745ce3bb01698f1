import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, describe, expect, test} from 'vitest'
import {InputLines, parseSession, readInput, writeSession} from '../../src/lib/cli/chat-session.ts'
import {clusterHome} from '../support/cluster-home.ts'
import type {FakeOptions} from '../support/fake-ollama/options.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli} from '../support/run-cli.ts'
import type {TempHome} from '../support/temp-home.ts'

let node: FakeOllama
let home: TempHome
afterEach(async () => {
  await node?.close()
  home?.dispose()
})
async function start(options: FakeOptions = {answer: 'yes'}) {
  node = await startFakeOllama(options)
  home = clusterHome([node])
  return home.env
}
const said = () =>
  node.requests
    .filter(({path}) => path === '/api/chat')
    .map(({body}) =>
      ((body?.messages ?? []) as {role: string; content: string}[]).map(
        ({role, content}) => `${role}: ${content}`,
      ),
    )

test('each line is said with what was said before', async () => {
  const env = await start()
  const result = await runCli(['chat', 'tiny', '--system', 'be brief'], {env, stdin: 'one\ntwo\n'})
  expect(result).toEqual({code: 0, stdout: 'yes\nyes\n', stderr: ''})
  expect(said()).toEqual([
    ['system: be brief', 'user: one'],
    ['system: be brief', 'user: one', 'assistant: yes', 'user: two'],
  ])
})

test('commands change the conversation, and /bye ends it', async () => {
  const env = await start({answer: 'yes', models: ['tiny', 'other']})
  const file = join(home.dir, 'saved.json')
  const lines = [
    'one',
    '/set temperature 0',
    `/save ${file}`,
    '/clear',
    '/model other',
    '/system "short"',
  ]
  lines.push('"""', 'two', 'lines', '"""', `/load ${file}`, 'three', '/nope', '/bye', 'never')
  const {code, stdout, stderr} = await runCli(['chat', 'tiny'], {
    env,
    stdin: `${lines.join('\n')}\n`,
  })
  expect({code, stdout}).toEqual({code: 0, stdout: 'yes\nyes\nyes\n'})
  expect(said()).toEqual([
    ['user: one'],
    ['system: short', 'user: two\nlines'],
    ['user: one', 'assistant: yes', 'user: three'],
  ])
  expect(node.requests.at(-1)?.body).toMatchObject({model: 'tiny', options: {temperature: 0}})
  expect(stderr).toMatch(/no command \/nope/)
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({model: 'tiny', messages: [{}, {}]})
})

test('--json prints the conversation at the end and nothing before', async () => {
  const env = await start()
  const {stdout} = await runCli(['chat', 'tiny', '--json'], {env, stdin: 'one'})
  expect(JSON.parse(stdout)).toEqual({
    model: 'tiny',
    options: {},
    messages: [
      {role: 'user', content: 'one'},
      {role: 'assistant', content: 'yes'},
    ],
  })
})

test('from a pipe the first error ends it', async () => {
  const env = await start()
  const {code, stderr} = await runCli(['chat', 'tyni'], {env, stdin: 'one\ntwo\n'})
  expect(code).toBe(3)
  expect(stderr).toMatch(/MODEL_NOT_FOUND/)
})

describe('input', () => {
  const whole = (lines: readonly string[]) => {
    const input = new InputLines()
    return lines.map((line) => input.push(line)).filter((one) => one !== undefined)
  }
  test.each([
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [
      ['"""a', 'b"""', 'c'],
      ['a\nb', 'c'],
    ],
    [['"""', ' a', '', 'b ', '"""'], [' a\n\nb ']],
    [['"""one line"""'], ['one line']],
    [['say """ this'], ['say """ this']],
  ])('%j reads as %j', (lines, expected) => expect(whole(lines)).toEqual(expected))

  const session = {model: 'm', options: {}, messages: [{role: 'user', content: 'x'}]} as const
  test.each([
    ['  ', {kind: 'nothing'}],
    ['hello', {kind: 'say', text: 'hello'}],
    ['/bye', {kind: 'leave'}],
    ['/clear', {kind: 'session', session: {messages: []}}],
    ['/model x', {kind: 'session', session: {model: 'x'}}],
    ['/model', {kind: 'tell', text: 'm'}],
    ['/set stop ["a"]', {kind: 'session', session: {options: {stop: ['a']}}}],
    ['/set x', {kind: 'tell'}],
    ['/save', {kind: 'tell'}],
    ['/load f', {kind: 'load', path: 'f'}],
    ['/constructor', {kind: 'tell'}],
  ])('%j means %j', (line, expected) => expect(readInput(session, line)).toMatchObject(expected))

  test('a saved conversation is read again, and something else is refused', () => {
    expect(parseSession(writeSession(session))).toEqual(session)
    for (const text of ['', '[]', '{"model":"m"}', '{"model":"m","messages":[1]}'])
      expect(() => parseSession(text)).toThrow(/no saved conversation/)
  })
})
