import {type ChildProcess, execFile, spawn} from 'node:child_process'
import {once} from 'node:events'
import {chmodSync, writeFileSync} from 'node:fs'
import {connect} from 'node:net'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {planNode} from '../../../src/lib/provision/plan.ts'
import {survive} from '../../../src/lib/provision/service-check.ts'
import type {ExecResult, Remote} from '../../../src/lib/ssh/remote.ts'
import {bareHost, goodArtifact} from '../../support/facts.ts'
import {type FakeOllama, startFakeOllama} from '../../support/fake-ollama.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

// A process that is really killed, a server that really answers, and a stand-in for systemctl that tells what a file says.
let home: TempHome
let ollama: FakeOllama
let served: ChildProcess
let asked: number
beforeEach(async () => {
  home = tempHome()
  ollama = await startFakeOllama({version: '0.33.0'})
  served = spawn('sleep', ['1000'])
  asked = 0
  const systemctl = join(home.dir, 'systemctl')
  writeFileSync(
    systemctl,
    `#!/bin/sh
case $* in *--value) cat ${home.dir}/pid ;; *) echo "UnitFileState=enabled"; echo "MainPID=$(cat ${home.dir}/pid)" ;; esac\n`,
  )
  chmodSync(systemctl, 0o755)
  mainPid(served.pid)
})
afterEach(async () => {
  served.kill('SIGKILL')
  await ollama.close()
  home.dispose()
})

const mainPid = (pid: number | undefined) => writeFileSync(join(home.dir, 'pid'), `${pid}\n`)

/** Runs the scripts here; `onAsk` is told each time before systemd's state is asked for. */
function host(onAsk: (times: number) => void = () => {}): Remote {
  const no = () => Promise.reject(new Error('not wanted here'))
  return {
    target: 'h1',
    hostKey: '',
    certified: false,
    exec: (script, options) => {
      if (script.includes('UnitFileState')) onAsk(++asked)
      const env = {PATH: `${home.dir}:${process.env.PATH}`}
      return new Promise<ExecResult>((resolve) => {
        execFile(
          'sh',
          ['-c', script, 'sh', ...(options?.args ?? [])],
          {env},
          (error, stdout, stderr) => resolve({code: Number(error?.code ?? 0), stdout, stderr}),
        )
      })
    },
    forward: async () => {
      const socket = connect(ollama.port, '127.0.0.1')
      await once(socket, 'connect')
      return socket
    },
    put: no,
    shell: no,
    close: async () => {},
  }
}

const kill = (remote: Remote, backMs?: number) => {
  const facts = bareHost()
  const source = {kind: 'carry', artifact: goodArtifact()} as const
  const plan = planNode(facts, {install: true, userMode: false, env: {}, source})
  const {signal} = new AbortController()
  return survive(remote, {plan, facts, root: {kind: 'is-root'}, subject: 'h1', signal}, backMs)
}

test('the server is killed, and another process that answers is what counts', async () => {
  const ended = once(served, 'exit')
  const back = kill(host(() => mainPid(4711)))
  expect((await ended)[1]).toBe('SIGKILL')
  expect(await back).toMatchObject({version: '0.33.0', seen: {enabled: true, pid: 4711}})
})

test('an answer while systemd has no process, or still the old one, is not believed', async () => {
  const pids = [0, served.pid, 4711]
  const back = await kill(host((times) => mainPid(pids[times - 1])))
  expect(back.seen?.pid).toBe(4711)
  expect(asked).toBe(3)
})

test('a service whose process never changes has not come back', async () => {
  await expect(kill(host(), 300)).rejects.toMatchObject({
    code: 'VERIFY_FAILED',
    message: expect.stringContaining('the service was killed and did not come back'),
  })
})

test('a service that does not run cannot be killed, and that is said', async () => {
  mainPid(0)
  await expect(kill(host())).rejects.toMatchObject({
    code: 'VERIFY_FAILED',
    message: expect.stringContaining('the service is not running'),
  })
})
