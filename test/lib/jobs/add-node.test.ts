import {afterEach, beforeEach, expect, test} from 'vitest'
import {type AddNodeOptions, addNodes} from '../../../src/lib/jobs/add-node.ts'
import {listNodes} from '../../../src/lib/jobs/list-nodes.ts'
import {makeTools} from '../../../src/lib/jobs/make-tools.ts'
import type {Tools} from '../../../src/lib/jobs/tools.ts'
import {type FakeOllama, startFakeOllama} from '../../support/fake-ollama.ts'
import {type Sshd, startSshd} from '../../support/sshd.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
let ollama: FakeOllama
let sshd: Sshd
let tools: Tools
beforeEach(async () => {
  home = tempHome()
  ollama = await startFakeOllama({version: '0.33.0', models: [{name: 'tiny:latest'}], loadMs: 0})
  sshd = await startSshd()
  const env = {...sshd.env, ...home.env, OLLAMAX_SSH_CONFIG: sshd.env.OLLAMAX_SSH_CONFIG}
  tools = makeTools({env, signal: new AbortController().signal})
})
afterEach(async () => {
  await tools?.close()
  await sshd?.stop()
  await ollama?.close()
  home.dispose()
})

const add = (targets: readonly string[], change: Partial<AddNodeOptions> = {}) =>
  addNodes(tools, {
    targets,
    labels: {},
    env: {},
    install: false,
    userMode: false,
    acceptHostKey: true,
    headers: {},
    dryRun: false,
    yes: true,
    concurrency: 10,
    report: () => {},
    port: ollama.port,
    ...change,
  })
const listed = async () => (await listNodes(tools, {names: [], labels: []})).nodes

test('a node that was just added is listed as it was seen, under the name that it got', async () => {
  const startMs = Date.now()
  const {nodes} = await add([sshd.target, ollama.url])
  expect(nodes.map(({outcome}) => outcome)).toEqual(['added', 'added'])
  const rows = await listed()
  expect(rows.map(({name}) => name)).toEqual(nodes.map(({name}) => name))
  for (const row of rows) {
    expect(row).toMatchObject({state: 'up', version: '0.33.0', models: 1})
    expect(Date.parse(row.seenAt ?? '')).toBeGreaterThanOrEqual(startMs)
  }
  // The one over SSH was asked for a token, which loaded the model.
  expect(rows.find(({kind}) => kind === 'ssh')?.loaded).toEqual(['tiny:latest'])
})

test('a node that was found as wanted is seen anew, and a dry run sees nothing', async () => {
  await add([sshd.target], {dryRun: true})
  await add([sshd.target])
  const [before] = await listed()
  expect((await add([sshd.target], {dryRun: true})).nodes[0]?.outcome).toBe('unchanged')
  expect((await listed())[0]?.seenAt).toBe(before?.seenAt)
  expect((await add([sshd.target])).nodes[0]?.outcome).toBe('unchanged')
  expect((await listed())[0]?.seenAt).not.toBe(before?.seenAt)
})
