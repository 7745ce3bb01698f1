import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, afterEach, beforeAll, expect} from 'vitest'
import {type Artifact, type ArtifactOptions, makeArtifact} from '../lab/artifact.ts'
import {answers} from '../lab/external-ollama.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import type {CliOptions, CliResult} from '../support/run-cli.ts'
import {waitFor} from '../support/wait-for.ts'

const test = needs(...LAB_NEEDS)
const made: Artifact[] = []
let lab: Lab
let artifact: Artifact

// h1, h2: ordinary hosts. h3: no init system. What one test breaks it mends, so that the next finds a bare host.
beforeAll(async () => {
  artifact = await make()
  lab = await startLab({hosts: 3, disk: '192m', plain: [3]})
  await lab.cli(['cluster', 'create', 'lab'])
  await lab.cli(['cluster', 'use', 'lab'])
})
afterAll(async () => {
  await lab?.close()
  for (const one of made) one.dispose()
})
/** Undoes what the test did to a host. */
const mends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const mend of mends.splice(0).reverse()) await mend()
})

async function make(options: ArtifactOptions = {}): Promise<Artifact> {
  const one = await makeArtifact(options)
  made.push(one)
  return one
}

const add = (target: string, ...more: string[]): Promise<CliResult> =>
  lab.cli(['node', 'add', target, '--artifact', artifact.file, ...more])
const clusterFile = (): string => join(lab.home.env.OLLAMAX_HOME ?? '', 'clusters', 'lab.yaml')

/** Fails with that code, says all of that, and leaves the cluster file as it was. */
async function refused(
  done: Promise<CliResult>,
  [code, exit]: readonly [string, number],
  ...saying: (string | RegExp)[]
): Promise<void> {
  const before = readFileSync(clusterFile(), 'utf8')
  const result = await done
  const said = `${result.stdout}${result.stderr}`
  for (const words of saying) expect(said).toMatch(words)
  expect({exit: result.code, said}).toEqual({exit, said: expect.stringContaining(code)})
  expect(said).not.toMatch(/\n\s+at .*[.][cm]?js:\d+/) // no stack
  expect(readFileSync(clusterFile(), 'utf8')).toBe(before)
}

/** Breaks a host by a script, and mends it by another when the test is over. */
async function breakHost(host: number, how: string, mend: string): Promise<void> {
  await lab.exec(host, how)
  mends.push(() => lab.exec(host, mend))
}

test('no such host', () => refused(add('nosuch'), ['SSH_NO_HOST', 4], 'nosuch'))

test('wrong port', () => refused(add('ops@h1:2222'), ['SSH_UNREACHABLE', 4], '2222'))

test('an unknown host key is not accepted silently', async () => {
  const file = join(lab.dir, 'known_hosts')
  const known = readFileSync(file, 'utf8')
  writeFileSync(file, '')
  mends.push(async () => writeFileSync(file, known))
  await refused(add('h1'), ['HOST_KEY_UNKNOWN', 6], /--host-key SHA256:[\w+/]{43}/)
})

test('a changed host key is refused, with both fingerprints', async () => {
  const print = async (): Promise<string> =>
    (await lab.exec(1, 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key')).split(' ')[1] ?? ''
  const old = await print()
  await breakHost(
    1,
    `cd /etc/ssh; mkdir old; mv ssh_host_* old; ssh-keygen -q -t ed25519 -N '' -f ssh_host_ed25519_key; systemctl restart ssh`,
    'cd /etc/ssh; mv old/* .; rmdir old; systemctl restart ssh',
  )
  const [kept, shown] = [old, await print()].map((text) => text.replaceAll('+', '[+]'))
  await refused(add('h1'), ['HOST_KEY_CHANGED', 6], new RegExp(kept ?? ''), new RegExp(shown ?? ''))
})

test('permission denied', async () => {
  await breakHost(1, 'chmod 000 /home/joe/.ssh', 'chmod 700 /home/joe/.ssh')
  await refused(add('joe@h1'), ['SSH_DENIED', 6], 'joe')
})

test('an account for files alone', async () => {
  await breakHost(
    1,
    `echo 'ForceCommand internal-sftp' >/etc/ssh/sshd_config.d/x.conf; systemctl reload ssh`,
    'rm /etc/ssh/sshd_config.d/x.conf; systemctl reload ssh',
  )
  await refused(add('h1'), ['SSH_NO_SHELL', 6])
})

test('sudo wants a password: asked for, refused when wrong, taken from stdin when right', async () => {
  await refused(add('pat@h1'), ['NEEDS_TTY', 2], '--sudo-password-stdin', '--user-mode')
  const given = (stdin: string, ...more: string[]): Promise<CliResult> =>
    lab.cli(
      ['node', 'add', 'pat@h1', '--artifact', artifact.file, '--sudo-password-stdin', ...more],
      {stdin},
    )
  await refused(given('wrong\n'), ['SUDO_DENIED', 6])
  expect(await given('pat-pw\n', '--dry-run')).toMatchObject({code: 0})
})

test('a full disk', async () => {
  await breakHost(1, 'dd if=/dev/zero of=/big bs=1M status=none || :', 'rm /big')
  await refused(add('h1'), ['', 1], /space|free|full/i)
  expect(await lab.exec(1, 'ls -A /opt')).toBe('testbed\n')
})

test('a read-only /opt', async () => {
  await breakHost(1, 'mount --bind /opt /opt; mount -o remount,bind,ro /opt', 'umount /opt')
  await refused(add('h1'), ['', 1], /read-only/i)
})

test('an archive for another machine, a broken-off one, one with another checksum, none at all', async () => {
  const foreign = await make({arch: 'arm64'})
  const cut = await make({truncatedTo: 100_000})
  const given = (file: string, ...more: string[]): Promise<CliResult> =>
    lab.cli(['node', 'add', 'h1', '--artifact', file, ...more])
  await refused(given(foreign.file), ['UNFIT', 1], 'arm64', 'amd64')
  await refused(given(cut.file), ['ARTIFACT_BAD', 1], 'truncated')
  const sum = '0'.repeat(64)
  await refused(
    given(artifact.file, '--artifact-sha256', sum),
    ['ARTIFACT_BAD', 1],
    artifact.sha256,
  )
  await refused(given('/nowhere/ollama.tgz'), ['ARTIFACT_BAD', 1], '/nowhere/ollama.tgz')
  expect(await lab.exec(1, 'ls -A /opt')).toBe('testbed\n')
})

test('names with spaces or shell characters, and a name that is taken', async () => {
  for (const name of ['two words', '$(reboot)', 'a;b', '../up'])
    await refused(add('h1', '--name', name), ['BAD_INPUT', 2])
  const node = '  - name: taken\n    ssh: h2\n'
  const text = readFileSync(clusterFile(), 'utf8')
  writeFileSync(clusterFile(), `apiVersion: ollamax/v1\nkind: Cluster\nnodes:\n${node}`)
  await refused(add('h1', '--name', 'taken'), ['NODE_EXISTS', 5], 'taken')
  writeFileSync(clusterFile(), text)
})

test('a cluster file that is no YAML, or has an unknown key, is refused with the line', async () => {
  const text = readFileSync(clusterFile(), 'utf8')
  const list = (): Promise<CliResult> => lab.cli(['node', 'list'])
  const head = 'apiVersion: ollamax/v1\nkind: Cluster\n'
  writeFileSync(clusterFile(), `${head}nodes:\n  - name: "a\n`)
  await refused(list(), ['CONFIG_INVALID', 2], /lab[.]yaml:\d|line \d/)
  writeFileSync(clusterFile(), `${head}nodes:\n  - name: a\n    ssh: h1\n    lables: {}\n`)
  await refused(list(), ['CONFIG_INVALID', 2], 'lables', 'labels', /6/)
  writeFileSync(clusterFile(), text)
})

test('an empty prompt, and a schema file that is none', async () => {
  await refused(lab.cli(['run', 'tiny', '  ']), ['BAD_INPUT', 2], 'empty')
  const schema = join(lab.home.dir, 'schema.json')
  writeFileSync(schema, '{"type": ')
  await refused(lab.cli(['run', 'tiny', 'hi', '--format', schema]), ['BAD_INPUT', 2], 'schema.json')
  await refused(lab.cli(['run', 'tiny', 'hi', '--format', '/nowhere.json']), ['BAD_INPUT', 2])
})

test('a host that dies in mid-install: the error says that again is safe, and again completes it', async () => {
  const big = await make({ballast: 24 << 20})
  const again: Partial<CliOptions> = {timeoutMs: 100_000}
  await lab.net.throttle(1, 2_000_000)
  const running = lab.startCli(['node', 'add', 'h1', '--artifact', big.file], again)
  running.child.stdin.end()
  const arriving = `find / -xdev -name 'ollama-*' -size +500k`
  const part = async (): Promise<string> => {
    if (running.child.exitCode !== null) throw new Error(`it ended early: ${running.stderr()}`)
    return await lab.exec(1, arriving)
  }
  await waitFor('a part of the archive', part, {timeoutMs: 30_000})
  await lab.power.cut(1)
  const died = await running.ended
  expect(`${died.code} ${died.stderr}`).toMatch(
    /^[14] (.*\n)*.*(SSH_LOST|ACTION_FAILED)(.*\n)*.*again/,
  )
  await lab.net.unthrottle(1)
  await lab.power.on(1)
  const done = await lab.cli(['node', 'add', 'h1', '--artifact', big.file], again)
  expect(done).toMatchObject({code: 0})
  await answers(lab, 1)
})

test('a host without an init system takes it below the account, and says what that does not give', async () => {
  await refused(add('h3'), ['UNFIT', 1], 'systemd', '--user-mode')
  const done = await add('h3', '--user-mode')
  expect(done).toMatchObject({code: 0, stderr: expect.stringContaining('after a reboot')})
  await answers(lab, 3)
})

test('a /tmp that runs nothing and a read-only /usr/local are no hindrance, and one that fails does not hold up others', async () => {
  await breakHost(2, 'mount -t tmpfs -o noexec,mode=1777 tmpfs /tmp', 'umount /tmp')
  const mounted = 'mount --bind /usr/local /usr/local; mount -o remount,bind,ro /usr/local'
  await breakHost(2, mounted, 'umount /usr/local')
  const done = await lab.cli(['node', 'add', 'h2', 'nosuch', '--artifact', artifact.file])
  expect(done).toMatchObject({code: 1, stderr: expect.stringContaining('SOME_NODES_FAILED')})
  const rows = done.stdout.trimEnd().split('\n')
  expect(rows.map((row) => row.split('\t').slice(0, 3).join(' '))).toEqual([
    'h2 h2 added',
    'nosuch nosuch failed',
  ])
  expect(done.stderr).toContain('/usr/local is mounted read-only')
})
