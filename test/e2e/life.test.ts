import {afterAll, beforeAll, expect} from 'vitest'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import {waitFor} from '../support/wait-for.ts'

// The life of nodes after they were added: h1 by a system service, h2 without an init system (supervised).

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

/** Before the rest, since after `--` it would belong to the command. */
const json = async (topic: string, verb: string, ...rest: string[]) =>
  JSON.parse((await lab.cli([topic, verb, '--json', ...rest])).stdout)

test('exec runs words as they are and a line by the shell, and passes the exit code on', async () => {
  const words = await lab.cli(['node', 'exec', 'h1', '--', 'printf', '%s|', 'a b', '$HOME', "it's"])
  expect([words.code, words.stdout]).toEqual([0, "a b|$HOME|it's|"])
  const line = await lab.cli(['node', 'exec', 'h1', '--', 'echo one | tr a-z A-Z; exit 7'])
  expect([line.code, line.stdout]).toEqual([7, 'ONE\n'])
})

test('exec on several nodes puts their names before the lines, and a dead one is told apart', async () => {
  const both = await lab.cli(['node', 'exec', '--', 'printf "a\\nb"; echo c >&2'])
  expect(both.stdout.split('\n').sort()).toEqual(['', 'h1 | a', 'h1 | b', 'h2 | a', 'h2 | b'])
  expect(both.stderr.split('\n').sort()).toEqual(['', 'h1 | c', 'h2 | c'])
  await lab.net.unplug(2)
  try {
    const {nodes} = await json('node', 'exec', '--', 'exit 3')
    expect(nodes[0]).toMatchObject({node: 'h1', code: 3})
    expect(nodes[1]).toMatchObject({node: 'h2', code: 255, error: {code: 'SSH_UNREACHABLE'}})
  } finally {
    await lab.net.plug(2)
  }
})

test('exec passes standard input on, to one node', async () => {
  const one = await lab.cli(['node', 'exec', 'h1', '--stdin', '--', 'wc', '-c'], {
    stdin: 'x'.repeat(1e6),
  })
  expect(one.stdout.trim()).toBe('1000000')
  const two = await lab.cli(['node', 'exec', '--stdin', '--', 'cat'], {stdin: ''})
  expect([two.code, two.stderr]).toEqual([2, expect.stringContaining('one node only')])
})

test('exec ends here and there, quietly, when nobody reads its output any more', async () => {
  const running = lab.startCli([
    'node',
    'exec',
    'h1',
    '--',
    'while :; do echo tick; sleep 0.1; done',
  ])
  await waitFor('the first line', () => running.stdout().includes('tick'))
  running.child.stdout.destroy()
  expect(await running.ended).toMatchObject({code: 0, stderr: ''})
  const left = async () => (await lab.exec(1, 'pgrep -fc "echo tic[k]" || :')).trim()
  await waitFor('the command to be gone', async () => (await left()) === '0')
})

test('logs come from the journal and from the supervisor alike', async () => {
  for (const name of ['h1', 'h2']) {
    const logs = await lab.cli(['node', 'logs', name, '--lines', '50'])
    expect(logs.code, logs.stderr).toBe(0)
    expect(logs.stdout).not.toContain('keeper=')
    expect(logs.stdout.length).toBeGreaterThan(20)
  }
  const {lines} = await json('node', 'logs', 'h1', '--lines', '1')
  expect(lines).toHaveLength(1)
})

test('logs --follow shows what comes, and leaves nothing behind when it ends', async () => {
  const tail = lab.startCli(['node', 'logs', 'h1', '--follow', '--lines', '0'])
  const followers = () => lab.exec(1, 'pgrep -xc journalctl || :')
  await waitFor('journalctl to follow', async () => (await followers()).trim() === '1')
  await lab.cli(['node', 'restart', 'h1', '--yes'])
  await waitFor('the restart in the log', () => /Started|Stopp/.test(tail.stdout()))
  tail.child.kill('SIGINT')
  expect((await tail.ended).code).toBe(130)
  await waitFor('journalctl to be gone', async () => (await followers()).trim() === '0')
})

test('stop, start and restart say what was seen, for both ways to keep a service', async () => {
  for (const name of ['h1', 'h2']) {
    const refused = await lab.cli(['node', 'stop', name])
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('CONFIRM_NEEDED')])
    expect(await json('node', 'stop', name, '--yes')).toMatchObject({node: name, state: 'stopped'})
    expect((await json('node', 'show', name)).last).toMatchObject({state: 'down'})
    expect(await json('node', 'start', name)).toMatchObject({state: 'up', version: '0.33.0'})
    const again = await lab.cli(['node', 'restart', name, '--yes'])
    expect([again.code, again.stdout]).toEqual([0, `${name} is up: Ollama 0.33.0 answers\n`])
  }
})

test('a service that needs a password for sudo takes it from the environment, and says so without', async () => {
  await lab.cli([
    'node',
    'add',
    'pat@h1',
    '--name',
    'pat',
    '--no-install',
    '--accept-host-key',
    '--yes',
  ])
  const without = await lab.cli(['node', 'restart', 'pat', '--yes'])
  expect([without.code, without.stderr]).toEqual([
    2,
    expect.stringContaining('OLLAMAX_SUDO_PASSWORD'),
  ])
  const env = {...lab.home.env, OLLAMAX_SUDO_PASSWORD: 'wrong'}
  const wrong = await lab.cli(['node', 'restart', 'pat', '--yes'], {env})
  expect([wrong.code, wrong.stderr]).toEqual([6, expect.stringContaining('refused the password')])
  const right = await lab.cli(['node', 'restart', 'pat', '--yes'], {
    env: {...lab.home.env, OLLAMAX_SUDO_PASSWORD: 'pat-pw'},
  })
  expect(right.code, right.stderr).toBe(0)
})

test('a service whose sudo insists on a terminal is restarted and its log read, with and without a password', async () => {
  await lab.exec(1, `echo 'Defaults requiretty' >/etc/sudoers.d/zz`)
  try {
    const plain = await lab.cli(['node', 'restart', 'h1', '--yes'])
    expect(plain.code, plain.stderr).toBe(0)
    const env = {...lab.home.env, OLLAMAX_SUDO_PASSWORD: 'pat-pw'}
    const asked = await lab.cli(['node', 'restart', 'pat', '--yes'], {env})
    expect(asked.code, asked.stderr).toBe(0)
    for (const name of ['h1', 'pat']) {
      const logs = await lab.cli(['node', 'logs', name, '--lines', '3'], {env})
      expect([logs.code, logs.stdout]).toEqual([0, expect.stringContaining('ollama')])
      expect(logs.stdout).not.toContain('pat-pw')
    }
    const denied = await lab.cli(['node', 'restart', 'pat', '--yes'])
    expect([denied.code, denied.stderr]).toEqual([2, expect.stringContaining('NEEDS_TTY')])
  } finally {
    await lab.exec(1, 'rm /etc/sudoers.d/zz')
  }
})

test('a service that does not come up is a failure that says where to look', async () => {
  await lab.exec(
    1,
    'mkdir -p /etc/systemd/system/ollama.service.d; printf "[Service]\nExecStart=\nExecStart=/bin/false\n" >/etc/systemd/system/ollama.service.d/99-broken.conf; systemctl daemon-reload',
  )
  try {
    const broken = await lab.cli(['node', 'restart', 'h1', '--yes', '--timeout', '2s'])
    expect(broken.code).toBe(1)
    expect(broken.stderr).toContain('VERIFY_FAILED')
    expect(broken.stderr).toContain('ollamax node logs h1')
  } finally {
    await lab.exec(
      1,
      'rm /etc/systemd/system/ollama.service.d/99-broken.conf; systemctl daemon-reload; systemctl restart ollama',
    )
  }
})

test('a shell without a terminal reads commands, and its exit code is ours', async () => {
  const shell = await lab.cli(['node', 'shell', 'h1'], {stdin: 'echo from-$(hostname)\nexit 5\n'})
  expect([shell.code, shell.stdout]).toEqual([5, expect.stringContaining('from-h1')])
})
