import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync} from 'node:fs'
import {hostname} from 'node:os'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {setTimeout as pause} from 'node:timers/promises'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {OllamaxError} from '../../../src/lib/errors.ts'
import {withLock} from '../../../src/lib/state/lock.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'
import {waitFor} from '../../support/wait-for.ts'

const HAMMER = join(import.meta.dirname, '../../support/state/hammer-lock.ts')

let home: TempHome
let children: ChildProcess[] = []
beforeEach(() => {
  home = tempHome()
  children = []
})
afterEach(async () => {
  await Promise.all(children.map(kill))
  home.dispose()
})

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

test('work under one lock never overlaps, also within one process', async () => {
  let inside = 0
  let most = 0
  await Promise.all(
    Array.from({length: 20}, () =>
      withLock(home.dir, async () => {
        most = Math.max(most, ++inside)
        await pause(1)
        inside--
      }),
    ),
  )
  expect(most).toBe(1)
  expect(readdirSync(home.dir)).toEqual([])
})

test('who waits in vain learns who holds the lock, since when and for what', async () => {
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const first = withLock(home.dir, () => held, {why: 'node add gpu-1'})
  await waitFor('the lock', () => readdirSync(home.dir).includes('.lock'))
  const error = await caught(withLock(home.dir, async () => 'never', {timeoutMs: 50}))
  release()
  await first
  if (!OllamaxError.is(error, 'LOCKED')) throw error
  expect(error.message).toContain(`process ${process.pid} on ${hostname()} (node add gpu-1)`)
  expect(error.details).toMatchObject({pid: process.pid, why: 'node add gpu-1'})
})

test('an abort ends the wait with its own reason', async () => {
  const abort = new AbortController()
  await withLock(home.dir, async () => {
    const waiting = caught(withLock(home.dir, async () => 'never', {signal: abort.signal}))
    abort.abort(new OllamaxError('INTERRUPTED', 'by the test'))
    expect(OllamaxError.is(await waiting, 'INTERRUPTED')).toBe(true)
  })
  expect(readdirSync(home.dir)).toEqual([])
})

test('the lock is given up when the work fails', async () => {
  const error = await caught(
    withLock(home.dir, async () => {
      throw new Error('work')
    }),
  )
  expect((error as Error).message).toBe('work')
  expect(await withLock(home.dir, async () => 'free', {timeoutMs: 50})).toBe('free')
})

const someone = (more: object) =>
  JSON.stringify({
    nonce: 'ab12',
    pid: process.pid,
    start: '',
    host: 'elsewhere',
    why: '',
    since: '',
    ...more,
  })

test('a holder on another machine counts as alive', async () => {
  writeFileSync(join(home.dir, '.lock'), someone({host: 'elsewhere'}))
  const error = await caught(withLock(home.dir, async () => 'never', {timeoutMs: 30}))
  if (!OllamaxError.is(error, 'LOCKED')) throw error
  expect(error.message).toContain('on elsewhere')
  expect(error.suggestions.join()).toContain(`rm ${join(home.dir, '.lock')}`)
})

test('a process that got the number of a dead holder is not taken for it', async () => {
  let mine = ''
  await withLock(home.dir, async () => {
    mine = readFileSync(join(home.dir, '.lock'), 'utf8')
  })
  const {start} = JSON.parse(mine) as {start: string}
  expect(start).not.toBe('')
  writeFileSync(join(home.dir, '.lock'), mine)
  const error = await caught(withLock(home.dir, async () => 'never', {timeoutMs: 30}))
  expect(OllamaxError.is(error, 'LOCKED')).toBe(true)
  writeFileSync(join(home.dir, '.lock'), mine.replace(start, 'an earlier start'))
  expect(await withLock(home.dir, async () => 'free', {timeoutMs: 30})).toBe('free')
})

test('a lock without content is respected while it is young and replaced when it is old', async () => {
  const lock = join(home.dir, '.lock')
  writeFileSync(lock, '')
  const error = await caught(withLock(home.dir, async () => 'never', {timeoutMs: 30}))
  expect(OllamaxError.is(error, 'LOCKED')).toBe(true)
  utimesSync(lock, new Date(0), new Date(0))
  expect(await withLock(home.dir, async () => 'free', {timeoutMs: 30})).toBe('free')
})

test('a taker that died in mid-takeover is inherited from, and leaves no litter', async () => {
  await withLock(home.dir, async () => {
    const mine = JSON.parse(readFileSync(join(home.dir, '.lock'), 'utf8')) as {host: string}
    // A dead holder, the right to replace it with a dead owner, and that one's right with a dead one too.
    mkdirSync(join(home.dir, 'inner'))
    const dead = (nonce: string) => someone({nonce, host: mine.host, pid: 2 ** 22 + 1})
    writeFileSync(join(home.dir, 'inner/.lock'), dead('aa'))
    writeFileSync(join(home.dir, 'inner/.lock.dead-aa'), dead('bb'))
    writeFileSync(join(home.dir, 'inner/.lock.dead-bb'), dead('cc'))
  })
  const inner = join(home.dir, 'inner')
  expect(await withLock(inner, async () => 'free', {timeoutMs: 200})).toBe('free')
  expect(readdirSync(inner)).toEqual([])
})

test('a right to replace that was finished long ago does not remove the lock of a living holder', async () => {
  await withLock(home.dir, async () => {
    const now = readFileSync(join(home.dir, '.lock'), 'utf8')
    const {host} = JSON.parse(now) as {host: string}
    writeFileSync(join(home.dir, '.lock.dead-aa'), someone({nonce: 'bb', host, pid: 2 ** 22 + 1}))
    const error = await caught(withLock(home.dir, async () => 'never', {timeoutMs: 50}))
    expect(OllamaxError.is(error, 'LOCKED')).toBe(true)
    expect(readFileSync(join(home.dir, '.lock'), 'utf8')).toBe(now)
  })
})

test('of many that find the same dead holder only one at a time gets in', async () => {
  await withLock(home.dir, async () => {
    const {host} = JSON.parse(readFileSync(join(home.dir, '.lock'), 'utf8')) as {host: string}
    for (let round = 0; round < 30; round++) {
      const directory = join(home.dir, `round-${round}`)
      mkdirSync(directory)
      writeFileSync(join(directory, '.lock'), someone({host, pid: 2 ** 22 + 1}))
      let inside = 0
      let most = 0
      await Promise.all(
        Array.from({length: 8}, () =>
          withLock(directory, async () => {
            most = Math.max(most, ++inside)
            await pause(0)
            inside--
          }),
        ),
      )
      expect(most).toBe(1)
      expect(readdirSync(directory)).toEqual([])
    }
  })
})

test('processes that are killed at any moment neither block the others nor let two in', async () => {
  let done = 0
  const violations: string[] = []
  const start = () => {
    const child = spawn(process.execPath, [HAMMER, home.dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    createInterface({input: child.stdout}).on('line', (line) => {
      if (line === 'done') done++
      else violations.push(line)
    })
    return child
  }
  const running = Array.from({length: 6}, start)
  for (let round = 0; round < 40; round++) {
    const before = done
    await waitFor('progress after a kill', () => done > before + 3, {timeoutMs: 15_000, everyMs: 2})
    const index = Math.floor(Math.random() * running.length)
    const victim = running[index]
    // The random moment is the point here; nothing is waited for.
    await pause(Math.random() * 5)
    if (victim) await kill(victim)
    running[index] = start()
  }
  const before = done
  await waitFor('progress at the end', () => done > before + 10)
  await Promise.all(children.map(kill))
  expect(violations).toEqual([])
  // Every turn that was reported is counted; those killed after counting are counted as well.
  expect(Number(readFileSync(join(home.dir, 'counter'), 'utf8'))).toBeGreaterThanOrEqual(done)
}, 60_000)
