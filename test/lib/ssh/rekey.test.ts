import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir, userInfo} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {dial} from '../../../src/lib/ssh/dial.ts'
import {resolveTarget} from '../../../src/lib/ssh/target.ts'
import {fakeAsk} from '../../support/fake-ask.ts'
import {type FakeSsh, startFakeSsh} from '../../support/fake-ssh.ts'

let directory: string
let server: FakeSsh
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'ox-rekey-'))
  server = await startFakeSsh({password: 'pw'})
})
afterEach(async () => {
  await server.close()
  rmSync(directory, {recursive: true})
})

test('when a server changes keys on the way, its host key is not asked about or put on record again', async () => {
  const config = join(directory, 'config')
  const record = join(directory, 'known_hosts')
  writeFileSync(
    config,
    `UserKnownHostsFile ${record}\nGlobalKnownHostsFile /dev/null\nIdentityAgent none\n`,
  )
  const env = {PATH: process.env.PATH, OLLAMAX_SSH_CONFIG: config, OLLAMAX_SSH_PASSWORD: 'pw'}
  const target = await resolveTarget(`${userInfo().username}@127.0.0.1:${server.port}`, {env})
  const ask = fakeAsk([true])
  const remote = await dial(target, {env, ask})
  await server.rekey()
  await server.rekey()
  expect((await remote.exec('echo still here')).stdout).toBe('still here\n')
  expect(ask.asked).toHaveLength(1)
  expect(readFileSync(record, 'utf8').trim().split('\n')).toHaveLength(1)
  await remote.close()
})
