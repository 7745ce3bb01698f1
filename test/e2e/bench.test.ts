import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'

// bench on real hosts behind SSH: what a stand-in by URL cannot show is the machine.

const test = needs(...LAB_NEEDS)
let lab: Lab
let artifact: Artifact

const SCRIPTS = [
  {decodeTokensPerS: 200, prefillTokensPerS: 4000, loadMs: 400, answerTokens: 300, slots: 2},
  {decodeTokensPerS: 100, prefillTokensPerS: 1000, loadMs: 600, answerTokens: 300},
]

beforeAll(async () => {
  ;[lab, artifact] = await Promise.all([startLab({hosts: 2}), makeArtifact()])
  for (const [at, settings] of SCRIPTS.entries())
    await lab.exec(at + 1, 'cat >/etc/fake-ollama.json', {stdin: JSON.stringify(settings)})
  const add = ['node', 'add', 'h1', 'h2', '--artifact', artifact.file, '--accept-host-key', '--yes']
  const added = await lab.cli(add, {timeoutMs: 120_000})
  expect(added.code, added.stderr).toBe(0)
  for (const host of [1, 2])
    await lab.exec(host, `curl -sf 127.0.0.1:11434/api/pull -d '{"model":"tiny"}'`)
}, 180_000)
afterAll(async () => {
  artifact?.dispose()
  await lab?.close()
})

interface Row {
  readonly node: string
  readonly hardware?: {readonly cpus: number; readonly memoryBytes: number; readonly system: string}
  readonly figures: readonly {readonly name: string; readonly value: number}[]
}

test('bench tells what machines and speeds are behind SSH, and the balancer knows it then', async () => {
  const words = ['bench', '--sizes', '64,256', '--rounds', '2', '--progress', 'none', '--json']
  const done = await lab.cli(words, {timeoutMs: 180_000})
  expect(done.code, done.stderr).toBe(0)
  const {nodes} = JSON.parse(done.stdout) as {nodes: readonly Row[]}
  expect(nodes.map(({node}) => node)).toEqual(['h1', 'h2'])
  for (const {hardware} of nodes) {
    expect(hardware?.cpus).toBeGreaterThan(0)
    expect(hardware?.memoryBytes).toBeGreaterThan(2 ** 30)
    expect(hardware?.system).toContain('Debian')
  }
  const figure = (at: number, name: string) =>
    nodes[at]?.figures.find((one) => one.name === name)?.value ?? Number.NaN
  expect([figure(0, 'slots'), figure(1, 'slots')]).toEqual([2, 1])
  expect(figure(0, 'decode')).toBeGreaterThan(figure(1, 'decode'))
  expect(figure(1, 'load')).toBeGreaterThanOrEqual(600)
  const file = join(lab.home.env.OLLAMAX_HOME ?? '', 'cache/rates/default.json')
  const known = JSON.parse(readFileSync(file, 'utf8')).h1['registry.ollama.ai/library/tiny:latest']
  expect(known).toMatchObject({answerTps: figure(0, 'decode'), slots: 2})
}, 240_000)
