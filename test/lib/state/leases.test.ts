import {type ChildProcess, spawn} from 'node:child_process'
import {mkdirSync, readdirSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {readUse, takeLease} from '../../../src/lib/state/leases.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'
import {waitFor} from '../../support/wait-for.ts'

let home: TempHome
let dir: string
const children: ChildProcess[] = []
beforeEach(() => {
  home = tempHome()
  dir = join(home.dir, 'leases')
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  home.dispose()
})

const NODES = ['a', 'b', 'c', 'd']
const inFlight = () => NODES.map((node) => readUse(dir, NODES).get(node)?.inFlight)

/** A process that is ready to take a lease. */
async function holder(nodes = NODES) {
  const child = spawn(process.execPath, [
    join(import.meta.dirname, 'lease-child.ts'),
    dir,
    ...nodes,
  ])
  children.push(child)
  let out = ''
  child.stdout.on('data', (text) => {
    out += text
  })
  await waitFor('a child', () => out.startsWith('ready\n'), {timeoutMs: 15_000})
  return {child, taken: () => out.split('\n')[1] || undefined}
}

test('a lease is counted by others and gone when it is released', () => {
  const first = takeLease(dir, NODES, () => 'a')
  const second = takeLease(dir, NODES, () => 'a')
  expect(inFlight()).toEqual([2, 0, 0, 0])
  first?.release()
  expect(inFlight()).toEqual([1, 0, 0, 0])
  const third = takeLease(dir, NODES, () => 'a')
  expect(inFlight()).toEqual([2, 0, 0, 0])
  // Releasing once more must not free the slot that the third one has taken over.
  first?.release()
  expect(inFlight()).toEqual([2, 0, 0, 0])
  second?.release()
  third?.release()
  expect(inFlight()).toEqual([0, 0, 0, 0])
})

test('the last use of a node is known', () => {
  expect(readUse(dir, NODES).get('a')?.lastUsedMs).toBe(0)
  const before = Date.now()
  takeLease(dir, NODES, () => 'a')?.release()
  const {lastUsedMs} = readUse(dir, NODES).get('a') ?? {lastUsedMs: 0}
  expect(lastUsedMs).toBeGreaterThan(before - 1000)
})

test('nothing is taken when nothing is chosen', () => {
  expect(takeLease(dir, NODES, () => undefined)).toBeUndefined()
})

test('where leases cannot be written the choice still holds', () => {
  writeFileSync(dir, 'a file where the directory should be')
  const lease = takeLease(dir, NODES, () => 'b')
  expect(lease?.node).toBe('b')
  lease?.release()
})

test('24 processes that choose at once spread evenly, and a killed one is not counted any more', async () => {
  const all = await Promise.all(Array.from({length: 24}, () => holder()))
  for (const {child} of all) child.stdin?.write('go\n')
  await waitFor('all leases', () => all.every(({taken}) => taken()))
  expect(inFlight()).toEqual([6, 6, 6, 6])
  expect(all.filter(({taken}) => taken() === 'a')).toHaveLength(6)

  const dead = all.filter(({taken}) => taken() === 'b')
  for (const {child} of dead) child.kill('SIGKILL')
  await waitFor('the dead to be seen', () => inFlight()[1] === 0)

  // Their slots are taken over by many at once, and nobody's lease is lost in it.
  const next = await Promise.all(Array.from({length: 12}, () => holder(['b'])))
  for (const {child} of next) child.stdin?.write('go\n')
  await waitFor('the new leases', () => next.every(({taken}) => taken()))
  expect(inFlight()).toEqual([6, 12, 6, 6])

  for (const {child} of [...all, ...next]) child.stdin?.end()
  await waitFor('the end of all', () => inFlight().every((count) => count === 0))
}, 60_000)

test('a slot of a process that is gone, or whose number another one has now, is free', () => {
  mkdirSync(join(dir, 'a'), {recursive: true})
  symlinkSync('4194305:1', join(dir, 'a', '0~0'))
  symlinkSync(`${process.pid}:1`, join(dir, 'a', '1~0'))
  symlinkSync('nonsense', join(dir, 'a', '2~0'))
  writeFileSync(join(dir, 'a', 'stray'), '')
  expect(inFlight()).toEqual([0, 0, 0, 0])
  const leases = [1, 2, 3].map(() => takeLease(dir, NODES, () => 'a'))
  expect(inFlight()).toEqual([3, 0, 0, 0])
  // What was left by the dead is cleared away by those who took over.
  expect(readdirSync(join(dir, 'a')).sort()).toEqual(['0~1', '1~1', '2~1', 'stray'])
  for (const lease of leases) lease?.release()
  expect(readdirSync(join(dir, 'a'))).toEqual(['stray'])
})
