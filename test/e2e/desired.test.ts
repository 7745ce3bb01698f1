import {appendFileSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {script} from '../lab/external-ollama.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import {waitFor} from '../support/wait-for.ts'

// A fleet of three real hosts that becomes what its file wants, loses a host, and is kept so.

const test = needs(...LAB_NEEDS)
let lab: Lab
let artifact: Artifact

const fileOf = () => join(lab.home.env.OLLAMAX_HOME ?? '', 'clusters/default.yaml')

beforeAll(async () => {
  ;[lab, artifact] = await Promise.all([startLab({hosts: 3}), makeArtifact()])
  const add = ['node', 'add', 'h1', 'h2', 'h3', '--artifact', artifact.file, '--accept-host-key']
  // One after the other: that is their order in the file, and so in a plan.
  const words = [...add, '--yes', '--concurrency', '1']
  const added = await lab.cli(words, {timeoutMs: 180_000})
  expect(added.code, added.stderr).toBe(0)
  await script(lab, 1, {pullable: [{name: 'tiny', sizeBytes: 20_000_000}]})
  await lab.exec(1, `curl -sf 127.0.0.1:11434/api/pull -d '{"model":"tiny"}'`)
  appendFileSync(
    fileOf(),
    `groups:
  - labels: {}
    ollama: {env: {OLLAMA_NUM_PARALLEL: 4}}
models:
  - {name: tiny, replicas: 2, warm: true}
`,
  )
})
afterAll(async () => {
  await artifact?.dispose()
  await lab?.close()
})

const json = async (...words: string[]) => JSON.parse((await lab.cli([...words, '--json'])).stdout)
const modelsOn = async (host: number, path = 'tags') => {
  const said = await lab.exec(host, `curl -sf 127.0.0.1:11434/api/${path}`)
  const {models} = JSON.parse(said) as {models: {name: string}[] | null}
  return (models ?? []).map(({name}) => name)
}

test('apply does what plan shows on real hosts: settings one by one, a copy, and what is to be in memory', async () => {
  const plan = await lab.cli(['plan'])
  expect([plan.code, plan.stdout.split('\n').map((line) => line.split('\t').slice(0, 4))]).toEqual([
    2,
    [
      ['1', 'h1', 'setup', '-'],
      ['2', 'h2', 'setup', '-'],
      ['3', 'h3', 'setup', '-'],
      ['4', 'h2', 'copy', 'tiny'],
      ['5', 'h1', 'warm', 'tiny'],
      ['5', 'h2', 'warm', 'tiny'],
      [''],
    ],
  ])
  const diff = await lab.cli(['diff', '--text'])
  expect(diff.stdout).toContain('\n+Environment="OLLAMA_NUM_PARALLEL=4"\n')
  const applied = await lab.cli(['apply', '--yes'], {timeoutMs: 180_000})
  expect(applied.code, applied.stderr).toBe(0)
  for (const host of [1, 2]) {
    expect([await modelsOn(host), await modelsOn(host, 'ps')]).toEqual([
      ['tiny:latest'],
      ['tiny:latest'],
    ])
    const drop = '/etc/systemd/system/ollama.service.d/50-ollamax.conf'
    expect(await lab.exec(host, `cat ${drop}`)).toContain('OLLAMA_NUM_PARALLEL=4')
  }
  expect(await modelsOn(3)).toEqual([])
  const again = await lab.cli(['plan'])
  expect([again.code, again.stdout]).toEqual([0, ''])
  // Nobody was left drained, and doctor and node add want no more and no less.
  expect(readFileSync(fileOf(), 'utf8')).not.toContain('drained: true')
  const {diagnoses} = await json('doctor')
  expect(JSON.stringify(diagnoses)).not.toContain('not as it is wanted')
  const added = await json('node', 'add', 'h1', '--yes')
  expect(added.nodes[0]).toMatchObject({outcome: 'unchanged', steps: []})
  expect(readFileSync(fileOf(), 'utf8').match(/OLLAMA_NUM_PARALLEL/g)).toHaveLength(1)
})

test('what somebody changed on a host by hand is told, and put right', async () => {
  const drop = '/etc/systemd/system/ollama.service.d/50-ollamax.conf'
  await lab.exec(3, `sed -i s/PARALLEL=4/PARALLEL=1/ ${drop}`)
  const diff = await lab.cli(['diff'])
  expect([diff.code, diff.stdout]).toEqual([2, 'h3\tenv.OLLAMA_NUM_PARALLEL\t4\t1\n'])
  const {nodes} = await json('status', '--drift')
  expect(nodes.map(({drift}: {drift: unknown}) => drift)).toEqual([
    [],
    [],
    ['write the drop-in, start Ollama'],
  ])
  const applied = await lab.cli(['apply', '--yes'], {timeoutMs: 120_000})
  expect(applied.code, applied.stderr).toBe(0)
  expect(await lab.exec(3, `cat ${drop}`)).toContain('OLLAMA_NUM_PARALLEL=4')
})

test('a replica that went with its host is made anew, and one too many goes only by --prune', async () => {
  await lab.power.cut(2)
  const applied = await lab.cli(['apply', '--yes', '--timeout', '10s'], {timeoutMs: 120_000})
  expect(applied.code, applied.stderr).toBe(0)
  expect(applied.stderr).toContain('h2 could not be read and is left alone')
  expect(await modelsOn(3, 'ps')).toEqual(['tiny:latest'])
  await lab.power.on(2)
  await waitFor('Ollama on h2', () => modelsOn(2))
  const plan = await lab.cli(['plan'])
  expect([plan.code, plan.stderr]).toEqual([0, expect.stringContaining('tiny is also on h2')])
  expect((await lab.cli(['apply', '--yes', '--prune'])).code).toBe(0)
  expect(await modelsOn(2)).toEqual([])
})

test('a wish that no disk has room for is told with what is lacking, and nothing is done', async () => {
  const before = readFileSync(fileOf(), 'utf8')
  await lab.exec(2, 'fallocate -l "$(df -B1 --output=avail / | tail -n 1)" /full || :')
  try {
    writeFileSync(fileOf(), before.replace('replicas: 2', 'replicas: 3'))
    const unmet = await lab.cli(['apply', '--yes'])
    expect([unmet.code, unmet.stderr]).toEqual([1, expect.stringContaining('PLAN_UNMET')])
    expect(unmet.stderr).toMatch(
      /tiny needs 19MiB on 3 nodes; only 2 can have it: h2 lacks \S+ of disk/,
    )
  } finally {
    writeFileSync(fileOf(), before)
    await lab.exec(2, 'rm -f /full')
  }
})

test('serve --reconcile makes a lost replica anew after the grace time, and tells of it', async () => {
  const words = ['--reconcile', '--reconcile-every', '1s', '--reconcile-grace', '3s']
  const serve = lab.startCli(['serve', '--listen', '127.0.0.1:0', ...words])
  try {
    await waitFor('the start', () => serve.stderr().includes('"event":"started"'))
    await lab.power.cut(3)
    await waitFor('the end of the grace time', () => serve.stderr().includes('"event":"lost"'), {
      timeoutMs: 60_000,
    })
    await waitFor('tiny on h2', async () => (await modelsOn(2, 'ps')).includes('tiny:latest'), {
      timeoutMs: 60_000,
    })
    await lab.power.on(3)
    await waitFor('h3 to be back', () => serve.stderr().includes('"event":"back"'), {
      timeoutMs: 60_000,
    })
  } finally {
    serve.child.kill('SIGTERM')
    await serve.ended
  }
  const file = join(lab.home.env.OLLAMAX_HOME ?? '', 'data/events/default/events.jsonl')
  const told = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  const kinds = told.map((line) => (JSON.parse(line) as {event: string}).event)
  expect(kinds).toEqual(
    ['started', 'silent', 'lost', 'begun', 'done', 'begun', 'done', 'back'].concat(
      kinds.includes('stopped') ? ['stopped'] : [],
    ),
  )
})
