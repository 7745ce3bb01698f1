import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import type {SshNode} from '../../../src/lib/cluster/node.ts'
import {makeTools} from '../../../src/lib/jobs/make-tools.ts'
import type {Tools} from '../../../src/lib/jobs/tools.ts'
import {apply} from '../../../src/lib/provision/apply.ts'
import type {Action} from '../../../src/lib/provision/plan-value.ts'
import {probe} from '../../../src/lib/provision/probe.ts'
import type {Remote} from '../../../src/lib/ssh/remote.ts'
import {readChanges} from '../../../src/lib/state/change-log.ts'
import {type Sshd, startSshd} from '../../support/sshd.ts'

// What the tools give as a machine writes down what is done on it, over a real SSH server.

let sshd: Sshd
let tools: Tools
let remote: Remote
beforeEach(async () => {
  sshd = await startSshd()
  const env = {...sshd.env, OLLAMAX_HOME: join(sshd.dir, 'ollamax'), SUDO_USER: 'ann'}
  tools = makeTools({env, signal: new AbortController().signal})
  remote = await tools.dial(node(), {acceptHostKey: true})
})
afterEach(async () => {
  await tools.close()
  await sshd.stop()
})

const node = (): SshNode => ({
  kind: 'ssh',
  name: 'n1',
  ssh: sshd.target,
  labels: {},
  drained: false,
  ollama: {},
})
const changes = () => readChanges(tools.paths)
const action = (title: string, script: string, args: string[] = []): Action => ({
  title,
  root: false,
  script,
  args,
  timeoutMs: 20_000,
})
const options = {subject: 'n1', report: () => {}, signal: new AbortController().signal}

test('a command that does not say that it only reads is written down, with who, where and how it ended', async () => {
  await remote.exec('exit 3', {args: ['a value'], stdin: 'a password\n', title: 'break it'})
  expect(changes()).toMatchObject([
    {
      who: expect.stringMatching(/^ann@/),
      cluster: 'default',
      node: 'n1',
      host: sshd.target,
      what: 'break it',
      exit: 3,
    },
  ])
  const text = JSON.stringify(changes())
  expect(text).not.toContain('a value')
  expect(text).not.toContain('a password')
})

test('looking at a host writes nothing down', async () => {
  await remote.exec('true', {reads: true})
  await probe(remote, {port: 1})
  expect(changes()).toEqual([])
})

test('each step of a plan is a line; the one that failed has its exit code, and those after it none', async () => {
  const steps = [
    action('make a file', 'echo "$1" >"$2"', ['s3cret', join(sshd.dir, 'made')]),
    action('fail', 'exit 9'),
    action('never', 'true'),
  ]
  await expect(apply(remote, steps, options)).rejects.toThrow('the step "fail" failed')
  expect(readFileSync(join(sshd.dir, 'made'), 'utf8')).toBe('s3cret\n')
  expect(changes().map(({what, exit}) => [what, exit])).toEqual([
    ['make a file', 0],
    ['fail', 9],
  ])
  expect(JSON.stringify(changes())).not.toContain('s3cret')
})

test('what is broken off is written down as that', async () => {
  const abort = new AbortController()
  const running = remote.exec('echo begun; sleep 60', {
    title: 'wait',
    signal: abort.signal,
    onStdout: () => abort.abort(new Error('enough')),
  })
  await expect(running).rejects.toThrow('enough')
  expect(changes()).toMatchObject([{what: 'wait', exit: null, error: 'FAILED'}])
})

test('a file that is written there is a line', async () => {
  await remote.put(Buffer.from('x'), join(sshd.dir, 'put'), {title: 'carry the archive over'})
  expect(changes()).toMatchObject([{what: 'carry the archive over', exit: 0}])
})
