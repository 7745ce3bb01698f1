import {afterEach, expect, test} from 'vitest'
import {clusterHome} from '../support/cluster-home.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli, startCli} from '../support/run-cli.ts'
import type {TempHome} from '../support/temp-home.ts'
import {waitFor} from '../support/wait-for.ts'

let home: TempHome | undefined
const nodes: FakeOllama[] = []
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()))
  home?.dispose()
})

async function fleet(count: number) {
  for (let at = 0; at < count; at++) nodes.push(await startFakeOllama({}))
  home = clusterHome(nodes)
  return home.env
}

test('without a terminal it says so, offers what works without one, and fails', async () => {
  const env = await fleet(1)
  const done = await runCli(['top'], {env})
  expect(done.code).toBe(2)
  expect(done.stdout).toBe('')
  expect(done.stderr).toContain('top draws on a terminal, and standard output is none')
  expect(done.stderr).toContain('ollamax status --watch')
  expect(done.stderr).toContain('NEEDS_TTY')
  expect(done.stderr).not.toMatch(/^ {4}at /m)
})

test('--json prints what is known after the first look', async () => {
  const env = await fleet(2)
  const done = await runCli(['top', '--json'], {env})
  expect(done.code).toBe(0)
  const frame = JSON.parse(done.stdout)
  expect(frame).toMatchObject({whole: true, order: ['n1', 'n2']})
})

test.each(['--plain', '--screen-reader'])(
  '%s appends a line for each change, and draws nothing',
  async (flag) => {
    const env = await fleet(2)
    const top = startCli(['top', flag], {env})
    await waitFor('the fleet', () => /fleet: 2 of 2 nodes up/.test(top.stdout()), {
      timeoutMs: 20_000,
    })
    await nodes[1]?.set({fault: {kind: 'refuse'}})
    await waitFor('the loss', () => /node n2: down: /.test(top.stdout()), {timeoutMs: 20_000})
    top.child.kill('SIGINT')
    const done = await top.ended
    expect(done.code).toBe(130)
    expect(done.stdout).not.toContain('\u001b')
    for (const line of done.stdout.trimEnd().split('\n')) expect(line).toMatch(/^\d\d:\d\d:\d\d \S/)
  },
)

test('a cluster that is not there is told as always', async () => {
  const env = await fleet(1)
  const done = await runCli(['top', '--plain', '--cluster', 'nope'], {env})
  expect(done.code).toBe(3)
  expect(done.stderr).toContain('CLUSTER_NOT_FOUND')
})
