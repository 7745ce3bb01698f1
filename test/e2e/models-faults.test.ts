import {randomBytes} from 'node:crypto'
import {afterAll, afterEach, beforeAll, expect} from 'vitest'
import type {Artifact} from '../lab/artifact.ts'
import {answers} from '../lab/external-ollama.ts'
import type {Lab} from '../lab/lab.ts'
import {plantModel, STORE} from '../lab/plant-model.ts'
import {threeNodes} from '../lab/three-nodes.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import {waitFor} from '../support/wait-for.ts'

// What goes wrong while a model is on its way between three real hosts.

const test = needs(...LAB_NEEDS)
const SIZE = 60_000_000
let lab: Lab
let artifact: Artifact

beforeAll(async () => {
  ;({lab, artifact} = await threeNodes())
}, 120_000)
afterAll(async () => {
  artifact?.dispose()
  await lab?.close()
})

/** A test that failed must not spoil the next one. */
afterEach(async () => {
  await lab.net.unthrottle(2).catch(() => undefined)
})

const copy = (name: string, ...more: string[]) => [
  ...['model', 'copy', name, '--from', 'h1', '--progress', 'plain'],
  ...more,
]
const plant = (name: string) => plantModel(lab, 1, {name, content: randomBytes(SIZE)})
const partOf = async (host: number, weights: string) =>
  Number(await lab.exec(host, `cat ${STORE}/blobs/sha256-${weights}.ollamax 2>/dev/null | wc -c`))
const visible = (host: number, name: string) =>
  lab.exec(host, `ls ${STORE}/manifests/registry.ollama.ai/library/${name} 2>/dev/null || :`)
const received = async (host: number) =>
  Number(await lab.exec(host, 'cat /sys/class/net/e*/statistics/rx_bytes'))
const half = (host: number, weights: string) =>
  waitFor('half of it', async () => (await partOf(host, weights)) > SIZE / 2, {timeoutMs: 60_000})

test('a copy that is broken off at half leaves nothing visible, and goes on from there', async () => {
  const {weights} = await plant('half')
  await lab.net.throttle(2, 8_000_000)
  const before = await received(2)
  const running = lab.startCli(copy('half', '--to', 'h2'))
  await half(2, weights)
  running.child.kill('SIGINT')
  const ended = await running.ended
  expect([ended.code, ended.stderr]).toEqual([130, expect.stringContaining('Run the same command')])
  await lab.net.unthrottle(2)
  const kept = await partOf(2, weights)
  expect(await visible(2, 'half')).toBe('')
  // What came and was not kept is sent again; an envelope of SSH and TCP is about 5 % of what comes.
  expect((await received(2)) - before - kept * 1.06).toBeLessThan(SIZE * 0.05)
  const done = await lab.cli([...copy('half', '--to', 'h2'), '--json'])
  const [row] = JSON.parse(done.stdout).nodes
  expect(row).toMatchObject({outcome: 'copied', resumedBytes: kept})
  expect(row.sentBytes - (SIZE - kept)).toBeLessThan(1000)
  expect(await visible(2, 'half')).toBe('latest\n')
})

test('nodes that do not reach each other get it through this machine', async () => {
  await plant('apart')
  await lab.net.part(1, 2)
  try {
    const done = await lab.cli(copy('apart', '--to', 'h2,h3'))
    expect(done.code, done.stderr).toBe(0)
    expect(done.stderr).toContain('h2: no host reaches it')
    expect(done.stderr).not.toContain('h3: no host')
    const again = await lab.cli([...copy('apart', '--to', 'h2,h3'), '--json'])
    const rows = JSON.parse(again.stdout).nodes as {outcome: string}[]
    expect(rows.map(({outcome}) => outcome)).toEqual(['had-it', 'had-it'])
  } finally {
    await lab.net.rejoin()
  }
})

test('--relay sends everything through this machine', async () => {
  await plant('relayed')
  const logins = () => lab.exec(3, 'journalctl -u ssh --no-pager | grep -c "from 10.77.0.1[1-9] "')
  const before = await logins()
  const done = await lab.cli(copy('relayed', '--to', 'h2,h3', '--relay'))
  expect(done.code, done.stderr).toBe(0)
  expect(await logins()).toBe(before)
  expect(await visible(3, 'relayed')).toBe('latest\n')
})

test('a disk that fills up under way is said so, and the rest is sent once there is room', async () => {
  const {weights} = await plant('filling')
  await lab.net.throttle(2, 8_000_000)
  const running = lab.startCli(copy('filling', '--to', 'h2'))
  await waitFor('the first bytes', async () => (await partOf(2, weights)) > 1_000_000)
  await lab.exec(2, 'cat /dev/zero >/fill 2>/dev/null || :')
  const ended = await running.ended
  await lab.net.unthrottle(2)
  await lab.exec(2, 'rm /fill')
  expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining('the disk is full')])
  expect(await visible(2, 'filling')).toBe('')
  expect(await partOf(2, weights)).toBeGreaterThan(1_000_000)
  expect((await lab.cli(copy('filling', '--to', 'h2'))).code).toBe(0)
})

test('a target that dies costs the one behind it nothing but time', async () => {
  const {weights} = await plant('dying')
  await lab.net.throttle(2, 8_000_000)
  const running = lab.startCli(copy('dying', '--to', 'h2,h3'), {timeoutMs: 120_000})
  await waitFor('the first bytes', async () => (await partOf(2, weights)) > 5_000_000, {
    timeoutMs: 60_000,
  })
  await lab.power.cut(2)
  const ended = await running.ended
  await lab.net.unthrottle(2)
  await lab.power.on(2)
  await answers(lab, 2)
  expect([ended.code, ended.stdout]).toEqual([1, expect.stringMatching(/^h2: failed/m)])
  expect(ended.stdout).toMatch(/^h3: has dying/m)
  expect(await visible(2, 'dying')).toBe('')
  expect(await visible(3, 'dying')).toBe('latest\n')
})

test('a source that dies is an error, and what came is gone on with', async () => {
  const {weights} = await plant('orphan')
  await lab.net.throttle(2, 8_000_000)
  const running = lab.startCli(copy('orphan', '--to', 'h2'), {timeoutMs: 120_000})
  await half(2, weights)
  await lab.power.cut(1)
  const ended = await running.ended
  await lab.net.unthrottle(2)
  await lab.power.on(1)
  await answers(lab, 1)
  expect(ended.code).not.toBe(0)
  expect(ended.stderr).toMatch(/SSH_LOST|SOME_NODES_FAILED/)
  expect(await visible(2, 'orphan')).toBe('')
  const done = await lab.cli([...copy('orphan', '--to', 'h2'), '--json'])
  expect(JSON.parse(done.stdout).nodes[0].resumedBytes).toBeGreaterThan(SIZE / 2)
})

test('files of a wrong owner in the store do not keep a copy from being served', async () => {
  await plant('owner')
  await lab.exec(3, `chown root: ${STORE}/blobs ${STORE}/manifests`)
  const done = await lab.cli(copy('owner', '--to', 'h3'))
  expect(done.code, done.stderr).toBe(0)
  expect(await lab.exec(3, `find ${STORE} ! -user ollama`)).toBe('')
})
