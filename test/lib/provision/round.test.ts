import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, beforeAll, expect, test} from 'vitest'
import type {Report} from '../../../src/lib/cluster/report.ts'
import {apply} from '../../../src/lib/provision/apply.ts'
import type {Action} from '../../../src/lib/provision/plan-value.ts'
import {type Connection, dial} from '../../../src/lib/ssh/dial.ts'
import type {ExecOptions, Remote} from '../../../src/lib/ssh/remote.ts'
import {resolveTarget} from '../../../src/lib/ssh/target.ts'
import {type Sshd, startSshd} from '../../support/sshd.ts'

// Neighbouring actions go in one command: each must see what is its own, and a failure must be its own.
let sshd: Sshd
let remote: Connection
beforeAll(async () => {
  sshd = await startSshd()
  const target = await resolveTarget(sshd.target, {env: sshd.env})
  remote = await dial(target, {env: sshd.env, accept: true})
})
afterAll(async () => {
  await remote?.close()
  await sshd?.stop()
})

const action = (title: string, script: string, args: readonly string[] = []): Action => ({
  title,
  root: false,
  script,
  args,
  timeoutMs: 10_000,
})

/** What apply says and does: its events, how many commands it took, and its error. */
async function run(actions: readonly Action[]) {
  const events: string[] = []
  let commands = 0
  const counted: Remote = {
    ...remote,
    exec: (script: string, options?: ExecOptions) => {
      commands++
      return remote.exec(script, options)
    },
  }
  const error = await apply(counted, actions, {
    subject: 'h1',
    report: (event) => 'step' in event && events.push(`${event.kind} ${event.step}`),
    root: {kind: 'is-root'},
    signal: new AbortController().signal,
  }).catch((thrown: unknown) => thrown)
  return {events, commands, error}
}

test('each script gets exactly its arguments, whatever is in them, and a shell of its own', async () => {
  const file = join(sshd.dir, 'arguments')
  const odd = ['', 'a b', "it's", '"$HOME" `id` \\n', 'two\nlines\n', '*', 'ü', '-n']
  const write = 'file=$1; shift; for word; do printf "%s\\0" "$word"; done >"$file"'
  const {error, events, commands} = await run([
    action('none', '[ $# = 0 ] || exit 7; cd /usr; umask 077; left=over; set -e; set -f'),
    action('odd', write, [file, ...odd]),
    action('fresh', '[ "$#:$1" = 1:x ] && [ "$left" = "" ] && [ "$PWD" != /usr ] || exit 6', ['x']),
  ])
  expect(error).toBeUndefined()
  expect(commands).toBe(1)
  expect(readFileSync(file, 'utf8')).toBe(odd.map((word) => `${word}\0`).join(''))
  expect(events).toEqual(['none', 'odd', 'fresh'].flatMap((it) => [`start ${it}`, `done ${it}`]))
})

test('the first that fails ends it: what was done before, and its own words alone', async () => {
  const {error, events} = await run([
    action('one', 'echo "words of one" >&2'),
    action('two', 'set -e; echo "words of two" >&2; false; exit 0'),
    action('three', 'echo "words of three" >&2'),
  ])
  expect(error).toMatchObject({
    code: 'ACTION_FAILED',
    message: 'h1: the step "two" failed: words of two',
    details: {step: 'two', done: ['one'], exit: 1, stderr: 'words of two'},
  })
  expect(events).toEqual(['start one', 'done one', 'start two'])
})

test('one that fails without a word is told by its exit code, and stdout counts where stderr is silent', async () => {
  const silent = await run([action('one', 'echo noise; echo noise >&2'), action('two', 'exit 3')])
  expect(silent.error).toMatchObject({message: 'h1: the step "two" failed: exit code 3'})
  const spoken = await run([action('one', 'echo no >&2'), action('two', 'echo why; exit 3')])
  expect(spoken.error).toMatchObject({message: 'h1: the step "two" failed: why'})
})

test('a step is said to be done when it is, not when its round ends', async () => {
  const seen: string[] = []
  const abort = new AbortController()
  const running = apply(remote, [action('one', ':'), action('two', 'sleep 60')], {
    subject: 'h1',
    report: (event) => {
      if ('step' in event) seen.push(`${event.kind} ${event.step}`)
      if (event.kind === 'start' && event.step === 'two') abort.abort(new Error('enough'))
    },
    signal: abort.signal,
  })
  await expect(running).rejects.toThrow('enough')
  expect(seen).toEqual(['start one', 'done one', 'start two'])
})

test('a step that hangs is given up after its own time, not after that of its round', async () => {
  const slow = {...action('slow', 'sleep 60'), timeoutMs: 300}
  const {error, events} = await run([{...action('one', ':'), timeoutMs: 3_600_000}, slow])
  expect(error).toMatchObject({
    code: 'ACTION_FAILED',
    message: expect.stringContaining('the step "slow" failed: it was not done within 0.3 s'),
    details: {step: 'slow', done: ['one'], cause: 'TIMEOUT'},
  })
  expect(events.at(-1)).toBe('start slow')
})

test('actions of another account take a command of their own', async () => {
  const own = action('own', ':')
  const {commands, error} = await run([own, own, {...own, root: true}, {...own, root: true}, own])
  expect(error).toBeUndefined()
  expect(commands).toBe(3)
})

test('a step has a time only where it had its round trip for itself', async () => {
  const timed: string[] = []
  const options = {
    subject: 'h1',
    report: (event: Report) =>
      event.kind === 'done' &&
      timed.push(`${event.step} ${event.ms === undefined ? 'untimed' : 'timed'}`),
    root: {kind: 'is-root'} as const,
    signal: new AbortController().signal,
  }
  await apply(remote, [action('alone', ':')], options)
  await apply(remote, [action('one', ':'), action('two', ':')], options)
  expect(timed).toEqual(['alone timed', 'one untimed', 'two untimed'])
})
