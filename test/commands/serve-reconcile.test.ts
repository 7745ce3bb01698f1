import {appendFileSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, expect, test} from 'vitest'
import {clusterHome} from '../support/cluster-home.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli} from '../support/run-cli.ts'
import {type RunningServe, startServe} from '../support/serve.ts'
import type {TempHome} from '../support/temp-home.ts'
import {waitFor} from '../support/wait-for.ts'

const open: Array<FakeOllama | TempHome> = []
const gateways: RunningServe[] = []
afterEach(async () => {
  for (const gateway of gateways.splice(0)) {
    gateway.child.kill('SIGKILL')
    await gateway.ended
  }
  for (const one of open.splice(0)) await ('close' in one ? one.close() : one.dispose())
})

async function node(): Promise<FakeOllama> {
  const started = await startFakeOllama({models: ['tiny']})
  open.push(started)
  return started
}

function home(nodes: readonly FakeOllama[], models = '[{name: tiny, warm: true}]'): TempHome {
  const made = clusterHome(nodes)
  open.push(made)
  appendFileSync(fileOf(made), `models: ${models}\n`)
  return made
}

const fileOf = ({env}: TempHome) => join(env.OLLAMAX_HOME ?? '', 'clusters/default.yaml')

async function keep(of: TempHome): Promise<RunningServe> {
  const words = ['--reconcile', '--reconcile-every', '1s', '--reconcile-grace', '0s']
  const started = await startServe(words, {env: of.env})
  gateways.push(started)
  return started
}

const inMemory = async ({url}: FakeOllama) => {
  const {models} = (await (await fetch(`${url}/api/ps`)).json()) as {models: {name: string}[]}
  return models.map(({name}) => name)
}
const unload = ({url}: FakeOllama) =>
  fetch(`${url}/api/generate`, {method: 'POST', body: '{"model":"tiny","keep_alive":0}'})

interface Event {
  readonly event: string
  readonly node?: string
  readonly text: string
}
/** What the event log says so far. */
const events = ({env}: TempHome): Event[] => {
  const file = join(env.OLLAMAX_HOME ?? '', 'data/events/default/events.jsonl')
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}
const told = (of: TempHome, event: string) =>
  waitFor(`the event ${event}`, () => events(of).find((one) => one.event === event))

test('what somebody undoes is done again, and all of it is in the event log', async () => {
  const a = await node()
  const made = home([a])
  await keep(made)
  await waitFor('tiny in memory', async () => (await inMemory(a)).length === 1)
  await unload(a)
  await waitFor('tiny in memory again', async () => (await inMemory(a)).length === 1)
  const done = () => events(made).filter(({event}) => event === 'done')
  await waitFor('both in the log', () => done().length === 2)
  expect(events(made).map(({event}) => event)).toEqual([
    'started',
    'begun',
    'done',
    'begun',
    'done',
  ])
  expect(done()[0]).toMatchObject({node: 'n1', text: 'n1: load tiny and keep it in memory'})
})

test('without --reconcile nothing is done', async () => {
  const a = await node()
  const gateway = await startServe([], {env: home([a]).env})
  gateways.push(gateway)
  const seen = a.requests.length
  await waitFor('another look', () => a.requests.length > seen, {timeoutMs: 18_000})
  expect(a.requests.some(({path}) => path === '/api/generate')).toBe(false)
})

test('a changed file is followed at once, and a broken one changes nothing', async () => {
  const a = await node()
  const made = home([a], '[{name: tiny}]')
  const gateway = await keep(made)
  await told(made, 'started')
  const text = readFileSync(fileOf(made), 'utf8')
  writeFileSync(fileOf(made), text.replace('name: tiny', 'nam: tiny'))
  await gateway.logged('a changed file is not used')
  expect(await told(made, 'trouble')).toMatchObject({
    text: expect.stringContaining('models[0].nam'),
  })
  writeFileSync(fileOf(made), text.replace('name: tiny', 'name: tiny, warm: true'))
  await waitFor('tiny in memory', async () => (await inMemory(a)).length === 1)
})

test('a second one stands by, and takes over when the first one was killed', async () => {
  const a = await node()
  const made = home([a])
  const first = await keep(made)
  await told(made, 'done')
  await keep(made)
  await told(made, 'standby')
  first.child.kill('SIGKILL')
  await waitFor(
    'the second one to begin',
    () => events(made).filter(({event}) => event === 'started').length === 2,
  )
  await unload(a)
  await waitFor('tiny in memory again', async () => (await inMemory(a)).length === 1)
})

test('what cannot be met and who does not answer is told once, and again when it is over', async () => {
  const [a, b] = [await node(), await node()]
  const made = home([a, b], '[{name: tiny, replicas: 3, warm: true}]')
  await keep(made)
  expect(await told(made, 'unmet')).toMatchObject({text: expect.stringContaining('tiny needs')})
  // What can be done is done all the same.
  await waitFor('tiny in memory', async () => (await inMemory(a)).length === 1)
  await b.set({fault: {kind: 'refuse'}})
  expect(await told(made, 'lost')).toMatchObject({node: 'n2'})
  await b.set({fault: null})
  expect(await told(made, 'back')).toMatchObject({node: 'n2', text: 'n2 answers again'})
  const file = fileOf(made)
  writeFileSync(file, readFileSync(file, 'utf8').replace('replicas: 3', 'replicas: 2'))
  await told(made, 'met')
  const count = (event: string) => events(made).filter((one) => one.event === event).length
  expect([count('lost'), count('back')]).toEqual([1, 1])
})

test('while somebody holds the deploy lock nothing is done, and it goes on afterwards', async () => {
  const a = await node()
  const made = home([a])
  const held = await runCli(['lock', 'acquire', '-m', 'a look by hand'], {env: made.env})
  expect(held.code, held.stderr).toBe(0)
  await keep(made)
  expect(await told(made, 'busy')).toMatchObject({text: expect.stringContaining('a look by hand')})
  expect(await inMemory(a)).toEqual([])
  await runCli(['lock', 'release'], {env: made.env})
  await waitFor('tiny in memory', async () => (await inMemory(a)).length === 1)
})

test('a node whose load fails is not tried again and again', async () => {
  const a = await node()
  await a.set({fault: {kind: 'status', status: 500, on: 'inference'}})
  const made = home([a])
  await keep(made)
  await told(made, 'failed')
  const looks = () => a.requests.filter(({path}) => path === '/api/tags').length
  const seen = looks()
  await waitFor('three more looks', () => looks() > seen + 6)
  expect(events(made).filter(({event}) => event === 'begun')).toHaveLength(1)
})
