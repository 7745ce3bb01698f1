import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {readdirSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect} from 'vitest'
import {terminalAsk} from '../../../src/lib/cli/ask.ts'
import {askNobody} from '../../../src/lib/cluster/ask.ts'
import {OllamaxError} from '../../../src/lib/errors.ts'
import {needs} from '../../support/needs.ts'
import {runCli} from '../../support/run-cli.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'
import {waitFor} from '../../support/wait-for.ts'

let home: TempHome
beforeEach(() => {
  home = tempHome()
})
afterEach(() => home.dispose())

const test = needs('script')
const clusters = () => readdirSync(join(home.dir, 'ollamax/clusters'))

/** Runs a command on a terminal of its own and types `keys` at its first question. */
async function atTerminal(command: string, keys: readonly string[]) {
  const line = `"${process.execPath}" bin/run.js ${command}`
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    cwd: join(import.meta.dirname, '../../..'),
    env: {...home.env, SHELL: '/bin/sh'},
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  const ended = once(child, 'close') as Promise<[number]>
  try {
    await waitFor('the question', () => text.includes('(y/N)'))
    for (const key of keys) child.stdin.write(key)
    return {code: (await ended)[0], text}
  } finally {
    child.kill()
  }
}

test('without a terminal a question is an error that says what to pass instead', async () => {
  for (const ask of [
    askNobody,
    terminalAsk(new AbortController().signal, {
      around: (question) => question(),
      onInterrupt: () => {},
    }),
  ]) {
    expect(ask.interactive).toBe(false)
    for (const question of [
      () => ask.secret('Password?', 'set OLLAMAX_SSH_PASSWORD'),
      () => ask.text('Name?', 'set OLLAMAX_SSH_PASSWORD'),
      () => ask.confirm('Sure?', 'set OLLAMAX_SSH_PASSWORD'),
      () => ask.choose('Which?', [], 'set OLLAMAX_SSH_PASSWORD'),
    ]) {
      const error = await question().catch((thrown: unknown) => thrown)
      if (!OllamaxError.is(error, 'NEEDS_TTY')) throw error
      expect(error.suggestions).toEqual(['set OLLAMAX_SSH_PASSWORD'])
    }
  }
})

test.each([
  ['yes', ['y', '\r'], 0, []],
  ['no', ['n', '\r'], 1, ['lab.yaml']],
  ['nothing', ['\r'], 1, ['lab.yaml']],
  ['Ctrl-C', ['\u0003'], 130, ['lab.yaml']],
] as const)('who answers %s at a terminal gets just that', async (_, keys, code, left) => {
  await runCli(['cluster', 'create', 'lab'], {env: home.env})
  const ended = await atTerminal('cluster remove lab', keys)
  expect(ended.code).toBe(code)
  expect(ended.text.includes('removed lab')).toBe(code === 0)
  expect(ended.text.includes('nothing was changed')).toBe(code === 1)
  expect(clusters()).toEqual(left)
})
