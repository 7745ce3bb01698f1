import {globSync} from 'node:fs'
import {basename} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'

const test = needs(...LAB_NEEDS)
let lab: Lab
let artifact: Artifact

beforeAll(async () => {
  artifact = await makeArtifact()
  lab = await startLab({hosts: 1})
})
afterAll(async () => {
  await lab?.close()
  artifact?.dispose()
})

/** Told in tests of their own: they need more than one node, files, a model of their own, or are all about a terminal. */
const ELSEWHERE =
  /^(cluster|config|engine|key|model|route)-|^node-(import|rollback|shell|upgrade)$|^(batch|chat|discover|embed|quickstart|serve|tour)$/

const TOPICS = new Set(['node', 'lock'])

test('every command says what its schema promises with --json, on stdout and nothing else', async () => {
  const steps: readonly (readonly string[])[] = [
    ['version'],
    ['node', 'add', 'h1', '--artifact', artifact.file, '--label', 'tier=lab'],
    ['node', 'list'],
    ['node', 'list', '--live'],
    ['node', 'show', 'h1'],
    ['node', 'label', 'h1', 'rack=2', 'tier-'],
    ['node', 'rename', 'h1', 'first'],
    ['node', 'drain', 'first'],
    ['node', 'undrain', 'first'],
    ['node', 'stop', 'first', '--yes'],
    ['node', 'start', 'first'],
    ['node', 'restart', 'first', '--yes'],
    ['node', 'exec', 'first', '--', 'echo', 'hello'],
    ['node', 'logs', 'first'],
    ['status'],
    ['top'],
    ['completion', 'bash'],
    ['run', 'tiny', 'hello'],
    ['generate', 'tiny', 'hello'],
    ['doctor', 'first'],
    ['bench', 'first', '--model', 'tiny', '--rounds', '1', '--sizes', '16', '--most-at-once', '2'],
    ['lock', 'acquire', '-m', 'a look at it'],
    ['lock', 'status'],
    ['lock', 'release', '--yes'],
    ['plan'],
    ['diff'],
    ['apply', '--yes'],
    ['audit'],
    ['node', 'remove', 'first', '--uninstall', '--yes'],
  ]
  const done = new Set<string>()
  for (const [at, words] of steps.entries()) {
    // With a model there, from the middle of its life on.
    if (words[0] === 'status')
      await lab.exec(1, `curl -sf 127.0.0.1:11434/api/pull -d '{"model":"tiny"}'`)
    const end = words.indexOf('--')
    const json =
      end < 0 ? [...words, '--json'] : [...words.slice(0, end), '--json', ...words.slice(end)]
    const result = await lab.cli(json)
    expect({step: at, words, code: result.code, stderr: result.stderr}).toMatchObject({code: 0})
    done.add(words.slice(0, TOPICS.has(words[0] ?? '') ? 2 : 1).join('-'))
  }
  const promised = globSync('docs/schemas/*.json').map((file) => basename(file, '.json'))
  expect(promised.filter((id) => !ELSEWHERE.test(id) && !done.has(id))).toEqual([])
})

test('an error under --json is one object with code, message and what to do, and the same exit code', async () => {
  const plain = await lab.cli(['node', 'show', 'nobody'])
  const json = await lab.cli(['node', 'show', 'nobody', '--json'])
  expect(json.code).toBe(plain.code)
  const {error} = JSON.parse(json.stdout)
  expect(error).toMatchObject({
    code: 'NODE_NOT_FOUND',
    message: expect.any(String),
    suggestions: expect.any(Array),
  })
})
