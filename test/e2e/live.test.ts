import {join} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import type {LiveNode, MachineReading} from '../../src/lib/cluster/live.ts'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import {waitFor} from '../support/wait-for.ts'

// The fleet as somebody sees it who watches: h1 by a system service, h2 without an init system (supervised).

const test = needs(...LAB_NEEDS)
let lab: Lab
let artifact: Artifact

beforeAll(async () => {
  ;[lab, artifact] = await Promise.all([startLab({hosts: 2, plain: [2]}), makeArtifact()])
  for (const words of [['h1'], ['ops@h2', '--name', 'h2', '--user-mode']]) {
    const add = ['node', 'add', ...words, '--artifact', artifact.file, '--accept-host-key', '--yes']
    const added = await lab.cli(add)
    expect(added.code, added.stderr).toBe(0)
  }
})
afterAll(async () => {
  artifact?.dispose()
  await lab?.close()
})

interface Line {
  readonly atMs?: number
  readonly node?: string
  readonly reading?: MachineReading
  readonly told?: LiveNode
  readonly event?: {readonly event: string; readonly node: string}
  readonly ended?: number
}

const CHILD = join(import.meta.dirname, 'live-child.ts')

/** `before`: words in front of the command, as `timeout` and its own. */
async function watch(args: readonly string[], before: readonly string[] = []): Promise<Line[]> {
  const env = {...process.env, ...lab.home.env, OLLAMAX_SSH_CONFIG: join(lab.dir, 'ssh_config')}
  const words = [...before, process.execPath, '--no-warnings', CHILD, ...args]
  const {stdout, stderr} = await lab.tool(words, {env, timeoutMs: 180_000})
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
  if (lines.length === 0) throw new Error(`it has said nothing: ${stderr}`)
  return lines.map((line) => JSON.parse(line) as Line)
}

/** Processes of the script that tells how a machine is. */
const left = (host: number) => lab.exec(host, "pgrep -fc '[M]emAvailable' || :")

test('machines behind SSH tell how they are, and when the watch ends nothing of it is left there', async () => {
  const watching = watch(['machines', '6', '1'])
  await waitFor('it to run there', async () => Number(await left(1)) > 0)
  const lines = await watching
  for (const [node, host] of [
    ['h1', 1],
    ['h2', 2],
  ] as const) {
    const readings = lines.flatMap((line) =>
      line.node === node && line.reading ? line.reading : [],
    )
    expect(readings.length).toBeGreaterThanOrEqual(3)
    const last = readings.at(-1)
    expect(last?.cores).toBeGreaterThan(0)
    expect(last?.cpuShare).toBeGreaterThanOrEqual(0)
    expect(last?.memory?.totalBytes).toBeGreaterThan(2 ** 28)
    // The disk of the host, which is a gibibyte.
    expect(last?.disk?.totalBytes).toBeGreaterThan(2 ** 29)
    expect(last?.disk?.totalBytes).toBeLessThanOrEqual(2 ** 30)
    await waitFor('nothing of it to be left', async () => (await left(host)).trim() === '0')
  }
})

test('when the watcher is killed nothing of it is left there either', async () => {
  const lines = await watch(['machines', '60', '1'], ['timeout', '-s', 'KILL', '6'])
  expect(lines.some(({reading}) => reading)).toBe(true)
  expect(lines.some(({ended}) => ended !== undefined)).toBe(false)
  for (const host of [1, 2])
    await waitFor('nothing of it to be left', async () => (await left(host)).trim() === '0')
})

test('what it costs a machine is at most one per cent of a core', {timeout: 200_000}, async () => {
  const seconds = 40
  const measure = async (work: Promise<unknown>) => {
    const before = [1, 2].map((host) => lab.cpuMs(host))
    await work
    return [1, 2].map((host, at) => (lab.cpuMs(host) - (before[at] ?? 0)) / (seconds * 1000))
  }
  const idle = await measure(lab.tool(['sleep', String(seconds)]))
  const watched = await measure(watch(['machines', String(seconds)]))
  const shares = watched.map((share, at) => share - (idle[at] ?? 0))
  process.stderr.write(`of a core, idle: ${idle.map(percent)}, more: ${shares.map(percent)}\n`)
  // Logging in and finding the models' directory are in it, once.
  for (const share of shares) expect(share).toBeLessThan(0.01)
})

const percent = (share: number) => `${(share * 100).toFixed(2)} %`

test('a fleet is seen whole, a node that is switched off is down, and the watch ends in time all the same', async () => {
  await lab.power.cut(2)
  try {
    const lines = await watch(['fleet', '12'])
    const last = (name: string) => lines.findLast(({node, told}) => node === name && told)?.told
    expect(last('h1')).toMatchObject({state: 'up', kind: 'ssh', machine: {gpus: []}})
    expect(last('h2')?.state).toBe('down')
    expect(lines.at(-1)?.ended).toBeLessThan(16_000)
  } finally {
    await lab.power.on(2)
  }
})
