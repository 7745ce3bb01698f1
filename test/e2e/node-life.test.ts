import {afterAll, beforeAll, expect} from 'vitest'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {answers, script} from '../lab/external-ollama.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'

const test = needs(...LAB_NEEDS)
const HOSTS = [1, 2, 3]
let lab: Lab
let artifact: Artifact

// One story, told in order: three bare machines become nodes, work, suffer, and are given back.
beforeAll(async () => {
  artifact = await makeArtifact()
  lab = await startLab({hosts: 3})
})
afterAll(async () => {
  await lab?.close()
  artifact?.dispose()
})

interface Listed {
  readonly nodes: readonly {readonly name: string; readonly state: string}[]
}
const add = (...more: string[]): ReturnType<Lab['cli']> =>
  lab.cli(['node', 'add', 'h1', 'h2', 'h3', '--artifact', artifact.file, '--json', ...more])
/** What a host has that an installation could change. */
const traces = (host: number): Promise<string> =>
  lab.exec(
    host,
    `ls -A /opt /usr/local/bin /usr/share /etc/systemd/system /var/lib; cut -d: -f1 /etc/passwd /etc/group`,
  )
const runOn = (node: string): ReturnType<Lab['cli']> =>
  lab.cli(['run', 'tiny', 'hello', '--node', node, '--no-pull'])

test('--dry-run tells the steps and changes nothing', async () => {
  const before = await traces(1)
  const done = await add('--dry-run')
  expect(done.code).toBe(0)
  expect(await traces(1)).toBe(before)
  const listed = await lab.cli(['node', 'list', '--json'])
  expect(JSON.parse(listed.stdout).nodes).toEqual([])
})

test('three bare machines become nodes at once, and the same command again changes nothing', async () => {
  const bare = await Promise.all(HOSTS.map(traces))
  await lab.exec(1, `cat >/root/bare`, {stdin: bare[0] ?? ''})
  const done = await add()
  expect(done).toMatchObject({code: 0})
  expect(outcomes(done.stdout)).toEqual(['added', 'added', 'added'])
  for (const host of HOSTS) {
    expect(await lab.exec(host, 'systemctl is-active ollama')).toBe('active\n')
    const open = await lab.exec(host, "ss -Htln 'sport = :11434'")
    expect(open).toContain('127.0.0.1:11434')
    expect(open).not.toContain('0.0.0.0:11434')
  }
  const started = await lab.exec(2, 'systemctl show -p ActiveEnterTimestampMonotonic ollama')
  const again = await add()
  expect(again).toMatchObject({code: 0})
  expect(outcomes(again.stdout)).toEqual(['unchanged', 'unchanged', 'unchanged'])
  expect(await lab.exec(2, 'systemctl show -p ActiveEnterTimestampMonotonic ollama')).toBe(started)
})

test('the nodes are listed as up, for people and for programs', async () => {
  const listed = await lab.cli(['node', 'list', '--live', '--json'])
  const {nodes} = JSON.parse(listed.stdout) as Listed
  const states = nodes.map(({name, state}) => `${name} ${state}`)
  expect(states.sort()).toEqual(['h1 up', 'h2 up', 'h3 up'])
  const lines = (await lab.cli(['node', 'list', '--live'])).stdout.trimEnd().split('\n')
  expect(lines.map((line) => line.split('\t')[0]).sort()).toEqual(['h1', 'h2', 'h3'])
})

test('a prompt is answered through the tunnel', async () => {
  for (const host of HOSTS) {
    await lab.exec(host, `curl -sf 127.0.0.1:11434/api/pull -d '{"model":"tiny"}'`)
    await script(lab, host, {answer: `by h${host}`})
  }
  const done = await lab.cli(['run', 'tiny', 'hello'])
  expect(done).toMatchObject({code: 0, stderr: ''})
  expect(done.stdout).toMatch(/^by h[123]\n$/)
})

test('a killed service comes back, and until then another node answers', async () => {
  await lab.exec(1, 'systemctl kill -s KILL ollama')
  expect(await lab.cli(['run', 'tiny', 'hello'])).toMatchObject({code: 0})
  await answers(lab, 1)
  expect(await runOn('h1')).toMatchObject({code: 0})
})

test('a node that was rebooted works as before, models included', async () => {
  await lab.power.reboot(2)
  await answers(lab, 2)
  expect(await runOn('h2')).toMatchObject({code: 0})
})

test('a drained node gets no request until it is undrained', async () => {
  for (const node of ['h1', 'h3'])
    expect(await lab.cli(['node', 'drain', node])).toMatchObject({code: 0})
  for (const host of HOSTS) await script(lab, host, {answer: `by h${host}`})
  for (let i = 0; i < 3; i++)
    expect(await lab.cli(['run', 'tiny', 'hello'])).toMatchObject({code: 0, stdout: 'by h2\n'})
  expect(await lab.cli(['node', 'undrain', 'h1'])).toMatchObject({code: 0})
})

test('a removed node leaves its machine as it was before', async () => {
  const refused = await lab.cli(['node', 'remove', 'h1', '--uninstall'])
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('CONFIRM_NEEDED')
  expect(await lab.exec(1, 'systemctl is-active ollama')).toBe('active\n')
  const done = await lab.cli(['node', 'remove', 'h1', '--uninstall', '--yes'])
  expect(done).toMatchObject({code: 0})
  expect(await traces(1)).toBe(await lab.exec(1, 'cat /root/bare'))
  expect(await lab.exec(1, "ss -Htln 'sport = :11434'")).toBe('')
  const listed = await lab.cli(['node', 'list', '--json'])
  expect((JSON.parse(listed.stdout) as Listed).nodes.map(({name}) => name).sort()).toEqual([
    'h2',
    'h3',
  ])
})

function outcomes(stdout: string): string[] {
  const {nodes} = JSON.parse(stdout) as {nodes: {outcome: string}[]}
  return nodes.map((node) => node.outcome)
}
