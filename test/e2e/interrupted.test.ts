import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import {waitFor} from '../support/wait-for.ts'

// What a change of nodes that is broken off leaves behind, and who puts it right.

const test = needs(...LAB_NEEDS)
let lab: Lab
let old: Artifact
let young: Artifact

const FAST = {decodeTokensPerS: 100, answerTokens: 40}

beforeAll(async () => {
  ;[lab, old, young] = await Promise.all([
    startLab({hosts: 2}),
    makeArtifact({version: '0.33.0'}),
    makeArtifact({version: '0.34.0'}),
  ])
  for (const host of [1, 2]) await script(host, FAST)
  const add = ['node', 'add', 'h1', 'h2', '--artifact', old.file, '--accept-host-key', '--yes']
  const added = await lab.cli(add, {timeoutMs: 120_000})
  expect(added.code, added.stderr).toBe(0)
  // Only h1 has a model.
  await lab.exec(1, `curl -sf 127.0.0.1:11434/api/pull -d '{"model":"tiny"}'`)
}, 180_000)
afterAll(async () => {
  await lab?.close()
  old?.dispose()
  young?.dispose()
})

const script = (host: number, settings: object) =>
  lab.exec(host, 'cat >/etc/fake-ollama.json', {stdin: JSON.stringify(settings)})
const file = () =>
  readFileSync(join(lab.home.env.OLLAMAX_HOME ?? '', 'clusters/default.yaml'), 'utf8')
const versionOf = async (host: number) =>
  JSON.parse(await lab.exec(host, 'curl -sf 127.0.0.1:11434/api/version')).version

/** An upgrade of h1 that is ended by a signal once it says so. */
async function brokenOff(signal: NodeJS.Signals, at: RegExp) {
  const words = ['node', 'upgrade', 'h1', '--artifact', young.file, '--yes']
  const running = lab.startCli([...words, '--progress', 'plain'], {timeoutMs: 120_000})
  await waitFor(`${at}`, () => at.test(running.stderr()), {timeoutMs: 60_000})
  running.child.kill(signal)
  return running.ended
}

test('before an upgrade it is said for which models nobody will answer', async () => {
  // In memory: what nobody uses needs no warning.
  await lab.exec(1, `curl -sf 127.0.0.1:11434/api/generate -d '{"model":"tiny"}'`)
  const asked = await lab.cli(['node', 'upgrade', 'h1', '--artifact', young.file])
  expect([asked.code, asked.stderr]).toEqual([
    2,
    expect.stringContaining('nobody answers for tiny:latest while it is changed'),
  ])
  const other = await lab.cli(['node', 'upgrade', 'h2', '--artifact', young.file])
  expect(other.stderr).not.toContain('nobody answers')
}, 60_000)

test('what a killed upgrade left drained is told by plan, and taken up by apply', async () => {
  await brokenOff('SIGKILL', /switch to/)
  expect(file()).toContain('drained: true')
  const plan = await lab.cli(['plan'])
  expect([plan.code, plan.stdout]).toEqual([
    2,
    expect.stringMatching(/h1\tsetup\t.*let it take requests again/),
  ])
  const applied = await lab.cli(['apply', '--yes'], {timeoutMs: 120_000})
  expect(applied.code, applied.stderr).toBe(0)
  expect(file()).not.toContain('drained: true')
  expect(await versionOf(1)).toMatch(/^0\.3[34]\.0$/)
  const again = await lab.cli(['plan'])
  expect([again.code, again.stdout]).toEqual([0, ''])
}, 240_000)

test('a roll-back that is interrupted says which node is drained still, and apply puts it right', async () => {
  const back = await lab.cli(['node', 'upgrade', 'h1', '--artifact', old.file, '--yes'])
  expect(back.code, back.stderr).toBe(0)
  // The server that runs has read its script long ago: the new one will be slow.
  await script(1, {...FAST, decodeTokensPerS: 20})
  const {code, stderr} = await brokenOff('SIGINT', /switch back to/)
  await script(1, FAST)
  expect([code, stderr]).toEqual([130, expect.stringContaining('in the middle of a change: h1')])
  expect(stderr).toMatch(/h1 takes no requests until then.*\n.*ollamax apply/)
  expect(file()).toContain('drained: true')
  const applied = await lab.cli(['apply', '--yes'], {timeoutMs: 120_000})
  expect(applied.code, applied.stderr).toBe(0)
  expect(file()).not.toContain('drained: true')
  expect(await versionOf(1)).toBe('0.33.0')
}, 240_000)
