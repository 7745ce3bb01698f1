import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {answers, installExternally, script} from '../lab/external-ollama.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import {waitFor} from '../support/wait-for.ts'

const test = needs(...LAB_NEEDS)
let lab: Lab
let artifact: Artifact

// Three machines that somebody else made Ollama hosts of, known to ollamax by a cluster file written by hand.
beforeAll(async () => {
  artifact = await makeArtifact()
  lab = await startLab({hosts: 3})
  // Slow enough that a busy machine's jitter is not taken for a difference between the nodes.
  const name = (host: number): Record<string, unknown> => ({
    answer: `said by h${host}`,
    slots: 16,
    decodeTokensPerS: 10,
  })
  await Promise.all(
    [1, 2, 3].map((host) => installExternally(lab, host, {artifact, script: name(host)})),
  )
  const clusters = join(lab.home.env.OLLAMAX_HOME ?? '', 'clusters')
  mkdirSync(clusters, {recursive: true})
  const nodes = ['h1', 'h2', 'h3'].map((h) => `  - name: ${h}\n    ssh: ${h}\n`).join('')
  writeFileSync(
    join(clusters, 'default.yaml'),
    `apiVersion: ollamax/v1\nkind: Cluster\nnodes:\n${nodes}`,
    {mode: 0o600},
  )
})
afterAll(async () => {
  await lab?.close()
  artifact?.dispose()
})

test('a prompt is answered by one of the nodes, and stdout holds the answer alone', async () => {
  const done = await lab.cli(['run', 'tiny', 'hello'])
  expect(done).toMatchObject({code: 0, stderr: ''})
  expect(done.stdout).toMatch(/^said by h[123]\n$/)
})

test('--node asks that node, and --json tells which one it was', async () => {
  const done = await lab.cli(['run', 'tiny', 'hello', '--node', 'h2', '--json'])
  expect(done.code).toBe(0)
  expect(JSON.parse(done.stdout)).toMatchObject({node: 'h2', response: 'said by h2'})
})

test('thirty runs at once spread over equal nodes, and a second run over SSH pays no new login', async () => {
  for (const node of ['h1', 'h2', 'h3'])
    expect(await lab.cli(['run', 'tiny', 'hello', '--node', node])).toMatchObject({code: 0})
  // Long enough that all of them are under way together.
  for (const host of [1, 2, 3]) await script(lab, host, {firstTokenDelayMs: 6000})
  const all = await Promise.all(Array.from({length: 30}, () => lab.cli(['run', 'tiny', 'hello'])))
  const per = new Map<string, number>()
  for (const {stdout} of all) per.set(stdout, (per.get(stdout) ?? 0) + 1)
  expect([...per.keys()].sort()).toEqual([1, 2, 3].map((host) => `said by h${host}\n`))
  // Equal nodes: each gets its third, give or take what a race may cost.
  for (const count of per.values()) expect(Math.abs(count - 10)).toBeLessThanOrEqual(3)
  for (const host of [1, 2, 3]) await script(lab, host, {firstTokenDelayMs: 0})
  const logins = (): Promise<string> =>
    lab.exec(1, 'journalctl -u ssh --no-pager | grep -c "Accepted publickey"')
  const before = await logins()
  await lab.cli(['run', 'tiny', 'hello', '--node', 'h1'])
  expect(await logins()).toBe(before)
})

test('a node whose service is dead, one that is cut off and one that hangs cost the run nothing but time', async () => {
  await lab.exec(1, 'systemctl stop ollama')
  await lab.power.cut(2)
  const done = await lab.cli(['run', 'tiny', 'hello'])
  expect(done).toMatchObject({code: 0, stdout: 'said by h3\n'})
  await lab.exec(1, 'systemctl start ollama')
  await answers(lab, 1)
  lab.power.freeze(3)
  // Shorter than an SSH dial waits: nor must the end of the process wait for it.
  const again = await lab.cli(['run', 'tiny', 'hello'], {timeoutMs: 10_000})
  lab.power.thaw(3)
  expect(again).toMatchObject({code: 0, stdout: 'said by h1\n'})
  await lab.power.on(2)
  await answers(lab, 2)
})

test('a stream that is cut after its first word ends with an error, and says that the answer is not whole', async () => {
  for (const host of [1, 2, 3])
    await script(lab, host, {fault: {kind: 'cut', afterTokens: 2, how: 'clean'}})
  const done = await lab.cli(['run', 'tiny', 'hello'])
  expect(done.stdout).toBe('said by\n')
  expect(done.code).toBe(4)
  expect(done.stderr).toContain('STREAM_CUT')
  for (const host of [1, 2, 3]) await script(lab, host, {fault: null})
})

test('Ctrl-C stops the model too, and exits 130', async () => {
  for (const host of [1, 2, 3]) await script(lab, host, {fault: {kind: 'stall', afterTokens: 1}})
  const running = lab.startCli(['run', 'tiny', 'hello', '--node', 'h1'])
  running.child.stdin.end()
  await waitFor('the first word', () => running.stdout().includes('said'))
  running.child.kill('SIGINT')
  expect((await running.ended).code).toBe(130)
  await waitFor('the node to notice', async () => {
    const seen = JSON.parse(await lab.exec(1, 'curl -s 127.0.0.1:11499/control'))
    return seen.cancelled === 1
  })
  for (const host of [1, 2, 3]) await script(lab, host, {fault: null})
})

test('a host that loses its power in mid-stream is an error, after what it had said', async () => {
  await script(lab, 2, {fault: {kind: 'stall', afterTokens: 2}})
  const running = lab.startCli(['run', 'tiny', 'hello', '--node', 'h2'])
  running.child.stdin.end()
  await waitFor('two words', () => running.stdout() === 'said by')
  await lab.power.cut(2)
  const done = await running.ended
  expect(done).toMatchObject({code: 4, stderr: expect.stringContaining('STREAM_CUT')})
  expect(done.stdout.trimEnd()).toBe('said by')
  await lab.power.on(2)
  await answers(lab, 2)
})

test('when no node has the model, the nearest name is told and nothing is printed on stdout', async () => {
  const done = await lab.cli(['run', 'tyni', 'hello', '--no-pull'])
  expect(done).toMatchObject({code: 3, stdout: ''})
  expect(done.stderr).toContain('tiny')
})
