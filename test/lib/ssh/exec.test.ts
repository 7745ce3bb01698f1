import {spawnSync} from 'node:child_process'
import {existsSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import fc from 'fast-check'
import {afterAll, beforeAll, expect, test} from 'vitest'
import {commandLine} from '../../../src/lib/ssh/channels/exec.ts'
import {type Connection, dial} from '../../../src/lib/ssh/dial.ts'
import {quote} from '../../../src/lib/ssh/quote.ts'
import {resolveTarget} from '../../../src/lib/ssh/target.ts'
import {startFakeSsh} from '../../support/fake-ssh.ts'
import {type Sshd, type SshdOptions, startSshd} from '../../support/sshd.ts'
import {waitFor} from '../../support/wait-for.ts'

let sshd: Sshd
let remote: Connection
beforeAll(async () => {
  sshd = await startSshd()
  remote = await open(sshd)
})
afterAll(async () => {
  await remote?.close()
  await sshd?.stop()
})

async function open(server: Sshd): Promise<Connection> {
  const target = await resolveTarget(server.target, {env: server.env})
  return dial(target, {env: server.env, accept: true})
}

async function withServer<T>(
  options: SshdOptions,
  work: (remote: Connection, server: Sshd) => Promise<T>,
): Promise<T> {
  const server = await startSshd(options)
  try {
    const own = await open(server)
    try {
      return await work(own, server)
    } finally {
      await own.close()
    }
  } finally {
    await server.stop()
  }
}

const hostile = fc.oneof(
  fc.string({unit: 'binary'}),
  fc.string({unit: fc.constantFrom(...'\'"\\!$`;&|<>(){}[]*?~#%^\n\r\t -=ab')}),
  fc.constantFrom('', '-n', '--', '~', '=ls', "'", "\\'", '$(reboot)', '`id`', 'a\nb', '!!', '\\c'),
)
const words = fc.array(
  hostile.map((text) => text.replaceAll('\0', '')).filter((text) => text.isWellFormed()),
  {maxLength: 5},
)

test.each(['sh', 'bash'])('quote makes one word of any string for %s', (shell) => {
  fc.assert(
    fc.property(words, (args) => {
      const line = `printf '%s\\0' x ${args.map(quote).join(' ')}`
      const {stdout} = spawnSync(shell, ['-c', line], {encoding: 'utf8'})
      expect(stdout.split('\0').slice(0, -1)).toEqual(['x', ...args])
    }),
    {numRuns: 60},
  )
})

test('any script and any arguments reach /bin/sh as they are', () => {
  fc.assert(
    fc.property(words, hostile, (args, comment) => {
      const script = `: '${comment.replaceAll("'", '').replaceAll('\0', '')}'\nprintf '%s\\0' x "$@"`
      const line = commandLine(script, args, {marker: 'MARK'})
      const {stdout} = spawnSync('sh', ['-c', line], {encoding: 'utf8'})
      expect(
        stdout
          .slice(stdout.indexOf('\n') + 1)
          .split('\0')
          .slice(0, -1),
      ).toEqual(['x', ...args])
    }),
    {numRuns: 60},
  )
})

test('what start-up files print is not output, and their noise has no bounds', async () => {
  const script = 'echo mine; echo err >&2'
  const rc = "i=0; while [ $i -lt 3000 ]; do echo 'Welcome, ox-0 !'; i=$((i+1)); done"
  const keyOptions = `command="${rc}; echo warn >&2; eval \\"$SSH_ORIGINAL_COMMAND\\""`
  await withServer({keyOptions}, async (noisy) => {
    expect(await noisy.exec(script)).toEqual({code: 0, stdout: 'mine\n', stderr: 'err\n'})
  })
})

test.each([
  ['a forced sftp', ['ForceCommand internal-sftp'], 'sftp'],
  ['nologin', ['ForceCommand /usr/sbin/nologin'], 'not available'],
  ['false', ['ForceCommand /bin/false'], ''],
])('an account with %s has no shell, and that is said', async (_, config, words) => {
  await withServer({config}, async (own) => {
    const run = own.exec('echo hi')
    await expect(run).rejects.toMatchObject({code: 'SSH_NO_SHELL'})
    expect(await run.catch((error: Error) => error.message)).toContain(words)
  })
})

test('a signal that ended the script is 128 and its number', async () => {
  expect((await remote.exec('kill -TERM $$')).code).toBe(143)
})

test('output beyond the limit is cut and marked, and still told as it comes', async () => {
  let told = 0
  const {stdout} = await remote.exec('head -c 300000 /dev/zero | tr "\\0" x', {
    maxBytes: 1000,
    onStdout: (chunk) => {
      told += chunk.length
    },
  })
  expect(stdout).toMatch(/^x{1000}\n\[cut/)
  expect(told).toBe(300_000)
})

test('big input and big output pass at the same time', async () => {
  const data = Buffer.alloc(3_000_000, 'abcdefg\n')
  const {stdout} = await remote.exec('cat', {stdin: Readable.from([data])})
  expect(stdout).toBe(data.toString())
})

test('a script that does not read its input ends all the same', async () => {
  expect((await remote.exec('exit 3', {stdin: Buffer.alloc(10_000_000)})).code).toBe(3)
})

test('input that breaks off fails the command', async () => {
  const broken = new Readable({
    read() {
      this.destroy(new Error('disk gone'))
    },
  })
  await expect(remote.exec('cat', {stdin: broken})).rejects.toThrow('disk gone')
})

test('a deadline ends the command there, and the connection lives on', async () => {
  const file = join(sshd.dir, 'pid')
  const run = remote.exec('echo $$ >"$1"; sleep 1000', {args: [file], timeoutMs: 1500})
  await expect(run).rejects.toMatchObject({code: 'TIMEOUT'})
  const pid = Number(readFileSync(file, 'utf8'))
  await waitFor('its end', () => !existsSync(`/proc/${pid}`))
  expect((await remote.exec('echo on')).stdout).toBe('on\n')
})

test('an abort ends the command there with the reason given', async () => {
  const file = join(sshd.dir, 'pid2')
  const abort = new AbortController()
  const run = remote.exec('echo $$ >"$1"; sleep 1000', {args: [file], signal: abort.signal})
  run.catch(() => {})
  await waitFor('its start', () => existsSync(file) && readFileSync(file, 'utf8') !== '')
  abort.abort(new Error('enough'))
  await expect(run).rejects.toThrow('enough')
  const pid = Number(readFileSync(file, 'utf8'))
  await waitFor('its end', () => !existsSync(`/proc/${pid}`))
})

test('a terminal is there when asked for, without echo and carriage returns', async () => {
  const result = await remote.exec('tty >/dev/null && echo yes; read -r x; echo "got $x"', {
    pty: true,
    stdin: 'secret\n',
  })
  expect(result).toEqual({code: 0, stdout: 'yes\ngot secret\n', stderr: ''})
})

test('a command that is broken off ends with all it started, even what ignores TERM', async () => {
  const stop = new AbortController()
  let pids: number[] = []
  const said = (chunk: Buffer) => {
    pids = chunk.toString().trim().split(' ').map(Number)
    stop.abort(new Error('enough'))
  }
  const script = "trap '' TERM; sleep 1000 & echo $$ $!; while :; do sleep 0.1; done"
  await expect(remote.exec(script, {onStdout: said, signal: stop.signal})).rejects.toThrow('enough')
  expect(pids).toHaveLength(2)
  await waitFor('both to be gone', () => pids.every((pid) => !existsSync(`/proc/${pid}`)), {
    timeoutMs: 5000,
  })
})

test('more commands at once than the server has sessions: all run, in turn', async () => {
  await withServer({config: ['MaxSessions 3']}, async (own) => {
    const runs = Array.from({length: 12}, (_, at) =>
      own.exec('sleep 0.05; echo "$1"', {args: [`${at}`]}),
    )
    const outputs = (await Promise.all(runs)).map((result) => result.stdout.trim())
    expect(outputs).toEqual(Array.from({length: 12}, (_, at) => `${at}`))
  })
})

test('one session is enough to run commands and to send a file', async () => {
  await withServer({config: ['MaxSessions 1']}, async (own, server) => {
    const path = join(server.dir, 'f')
    await Promise.all([own.exec('true'), own.put(Buffer.from('x'), path), own.exec('true')])
    expect(readFileSync(path, 'utf8')).toBe('x')
  })
})

test('a server without any session says so', async () => {
  await withServer({config: ['MaxSessions 0']}, async (own) => {
    await expect(own.exec('true')).rejects.toMatchObject({code: 'SSH_CHANNEL'})
  })
})

test('a server without SFTP still takes files, through a shell', async () => {
  const config = ['Subsystem other /bin/true']
  await withServer({config}, async (own, server) => {
    const path = join(server.dir, "odd ' name")
    writeFileSync(path, 'old')
    await own.put(Readable.from([Buffer.alloc(200_000, 'a'), Buffer.from('b')]), path, {
      mode: 0o640,
    })
    expect(readFileSync(path, 'utf8')).toBe(`${'a'.repeat(200_000)}b`)
  })
})

test('a file that cannot be written says why and leaves nothing behind', async () => {
  const attempt = remote.put(Buffer.from('x'), join(sshd.dir, 'none', 'f'))
  await expect(attempt).rejects.toMatchObject({
    code: 'ACTION_FAILED',
    message: expect.stringContaining('directory'),
  })
})

test('a source that breaks off leaves the old file and no part', async () => {
  const path = join(sshd.dir, 'kept')
  writeFileSync(path, 'old')
  const broken = Readable.from(
    (async function* () {
      yield Buffer.alloc(100_000)
      throw new Error('source gone')
    })(),
  )
  await expect(remote.put(broken, path)).rejects.toThrow('source gone')
  expect(readFileSync(path, 'utf8')).toBe('old')
  expect(existsSync(`${path}.part`)).toBe(false)
})

test('when the connection is cut, running commands fail with SSH_LOST', async () => {
  const server = await startSshd()
  const own = await open(server)
  const run = own.exec('echo here; sleep 1000', {onStdout: () => void server.kill()})
  await expect(run).rejects.toMatchObject({code: 'SSH_LOST'})
  await expect(own.exec('true')).rejects.toMatchObject({code: 'SSH_LOST'})
  await server.stop()
})

test('a command whose whole life arrives in one packet is heard to its end', async () => {
  const server = await startFakeSsh({password: 'secret'})
  const target = await resolveTarget(`tester@127.0.0.1:${server.port}`, {env: sshd.env})
  const own = await dial(target, {env: sshd.env, accept: true, secrets: {password: 'secret'}})
  try {
    for (const code of [0, 1, 2, 3, 4, 5, 6, 7])
      expect(await own.exec(`echo said; exit ${code}`)).toMatchObject({code, stdout: 'said\n'})
  } finally {
    await own.close()
    await server.close()
  }
})
