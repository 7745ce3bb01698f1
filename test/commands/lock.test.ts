import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {clusterHome} from '../support/cluster-home.ts'
import {runCli} from '../support/run-cli.ts'
import type {TempHome} from '../support/temp-home.ts'

// The deploy lock, as those meet it who want to change the nodes of a cluster. Removing a cluster needs it, too.

const HOLD = join(import.meta.dirname, '../support/state/hold-deploy-lock.ts')
let home: TempHome
let holder: ChildProcess | undefined
beforeEach(() => {
  home = clusterHome([])
})
afterEach(async () => {
  if (holder && holder.exitCode === null && holder.signalCode === null) {
    const gone = once(holder, 'exit')
    holder.kill('SIGKILL')
    await gone
  }
  holder = undefined
  home.dispose()
})

const cli = (...args: string[]) => runCli(args, {env: home.env})
const remove = () => cli('cluster', 'remove', 'default', '--yes')

async function hold(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [HOLD], {env: home.env, stdio: ['pipe', 'pipe', 'inherit']})
  holder = child
  await once(child.stdout, 'data')
  return child
}

test('a lock that is taken by hand stops others until it is released, and says who, why and since when', async () => {
  const taken = await cli('lock', 'acquire', '-m', 'power work in rack 2')
  expect([taken.code, taken.stdout]).toEqual([0, expect.stringContaining('power work in rack 2')])
  const status = JSON.parse((await cli('lock', 'status', '--json')).stdout)
  expect(status).toMatchObject({held: true, by: 'hand', reason: 'power work in rack 2'})
  expect(Date.parse(status.since)).toBeGreaterThan(0)
  for (const refused of [await remove(), await cli('lock', 'acquire', '-m', 'me too')]) {
    expect(refused.code).toBe(5)
    expect(refused.stderr).toContain('LOCKED')
    expect(refused.stderr).toContain(`${status.who} since ${status.since}: power work in rack 2`)
    expect(refused.stderr).toContain('ollamax lock release')
  }
  const released = await cli('lock', 'release')
  expect([released.code, released.stdout]).toEqual([0, expect.stringContaining('was held by')])
  expect((await remove()).code).toBe(0)
})

test('a command that holds it is named, and when it has died the next one takes it over', async () => {
  const child = await hold()
  const status = JSON.parse((await cli('lock', 'status', '--json')).stdout)
  expect(status).toMatchObject({by: 'process', reason: 'upgrade of gpu-1', pid: child.pid})
  const refused = await remove()
  expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('upgrade of gpu-1')])
  expect(refused.stderr).toContain(`process ${child.pid}`)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect((await cli('lock', 'status')).stdout).toBe('the deploy lock of default is free\n')
  expect((await remove()).code).toBe(0)
})

test('it is taken from a living process only with --yes', async () => {
  const child = await hold()
  const asked = await cli('lock', 'release')
  expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('upgrade of gpu-1')])
  expect((await cli('lock', 'release', '--yes')).code).toBe(0)
  expect((await cli('lock', 'acquire', '-m', 'mine')).code).toBe(0)
  // The one that lost it must not end what another one holds now.
  child.stdin?.end()
  await once(child, 'exit')
  expect((await cli('lock', 'status')).stdout).toContain('mine')
})

test('it has to be said why', async () => {
  const {code, stderr} = await cli('lock', 'acquire')
  expect([code, stderr]).toEqual([2, expect.stringContaining('message')])
  expect(existsSync(join(home.env.OLLAMAX_HOME ?? '', 'data/deploy'))).toBe(false)
})
