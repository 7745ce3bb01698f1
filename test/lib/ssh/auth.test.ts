import {execFileSync} from 'node:child_process'
import {chmodSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, beforeAll, expect, test} from 'vitest'
import {type DialOptions, dial} from '../../../src/lib/ssh/dial.ts'
import {resolveTarget} from '../../../src/lib/ssh/target.ts'
import {fakeAsk} from '../../support/fake-ask.ts'
import {type FakeSsh, type FakeSshOptions, startFakeSsh} from '../../support/fake-ssh.ts'
import {makeKey, type Sshd, startSshd} from '../../support/sshd.ts'

let sshd: Sshd
beforeAll(async () => {
  sshd = await startSshd({config: ['MaxAuthTries 4']})
})
afterAll(() => sshd?.stop())

interface Login extends Partial<DialOptions> {
  readonly config: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly port?: number
}

async function login(options: Login): Promise<void> {
  const file = join(sshd.dir, `config-${Math.random()}`)
  const rest = ['UserKnownHostsFile /dev/null', 'GlobalKnownHostsFile /dev/null']
  writeFileSync(file, [...options.config, ...rest, ''].join('\n'))
  const env = {PATH: process.env.PATH, ...options.env, OLLAMAX_SSH_CONFIG: file}
  const target = await resolveTarget(`${sshd.user}@127.0.0.1:${options.port ?? sshd.port}`, {env})
  const remote = await dial(target, {accept: true, ...options, env})
  await remote.close()
}

/** Lets one more key in. */
function allow(key: string): string {
  const file = join(sshd.dir, 'authorized_keys')
  writeFileSync(file, readFileSync(file, 'utf8') + readFileSync(`${key}.pub`, 'utf8'))
  return key
}

async function withAgent<T>(keys: string[], work: (socket: string) => Promise<T>): Promise<T> {
  const socket = join(sshd.dir, `agent-${Math.random()}`)
  const said = execFileSync('ssh-agent', ['-s', '-a', socket], {encoding: 'utf8'})
  const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(said)?.[1])
  try {
    const env = {...process.env, SSH_AUTH_SOCK: socket}
    for (const key of keys) execFileSync('ssh-add', ['-q', key], {env})
    return await work(socket)
  } finally {
    process.kill(pid)
  }
}

const only = (key: string) => [`IdentityFile ${key}`, 'IdentitiesOnly yes', 'IdentityAgent none']

test.each(['ed25519', 'ecdsa', 'rsa'])('a key file of type %s lets us in', async (type) => {
  await login({config: only(allow(makeKey(join(sshd.dir, `plain-${type}`), type)))})
})

test.each(['ed25519', 'rsa'])(
  'a locked %s key is opened by the passphrase given or asked for',
  async (type) => {
    const key = allow(makeKey(join(sshd.dir, `locked-${type}`), type, 'open sesame'))
    const ask = fakeAsk(['wrong', 'open sesame'])
    await login({config: only(key), ask})
    expect(ask.asked).toHaveLength(2)
    expect(ask.asked[0]).toContain(key)
    await login({config: only(key), env: {OLLAMAX_SSH_PASSPHRASE: 'open sesame'}})
    await login({config: only(key), secrets: {passphrase: 'open sesame'}})
  },
)

test('a locked key that the server does not want is not asked about', async () => {
  const key = makeKey(join(sshd.dir, 'unwanted'), 'ed25519', 'secret')
  const ask = fakeAsk([])
  await expect(login({config: only(key), ask})).rejects.toMatchObject({code: 'SSH_DENIED'})
  expect(ask.asked).toEqual([])
})

test('a locked key without anybody to ask is named in the refusal, the passphrase never', async () => {
  const key = allow(makeKey(join(sshd.dir, 'mute'), 'ed25519', 'secret-phrase'))
  const attempt = login({config: only(key), env: {OLLAMAX_SSH_PASSPHRASE: 'guessed-wrong'}})
  await expect(attempt).rejects.toMatchObject({code: 'SSH_DENIED'})
  const error = await attempt.catch((thrown: Error) => thrown)
  expect(String(error) + JSON.stringify(error)).toContain(key)
  expect(String(error) + JSON.stringify(error)).not.toContain('guessed-wrong')
})

test('keys of the agent are used, also RSA ones', async () => {
  const key = allow(makeKey(join(sshd.dir, 'agent-rsa'), 'rsa'))
  await withAgent([key], async (socket) => {
    await login({config: ['IdentityFile none'], env: {SSH_AUTH_SOCK: socket}})
    await login({config: [`IdentityAgent ${socket}`, 'IdentityFile none']})
  })
})

test('a key that the configuration names goes before the many of the agent', async () => {
  const many = Array.from({length: 6}, (_, at) => makeKey(join(sshd.dir, `many-${at}`)))
  await withAgent(many, async (socket) => {
    await login({config: [`IdentityFile ${sshd.key}`], env: {SSH_AUTH_SOCK: socket}})
    const attempt = login({config: ['IdentityFile none'], env: {SSH_AUTH_SOCK: socket}})
    await expect(attempt).rejects.toMatchObject({
      code: 'SSH_DENIED',
      message: expect.stringContaining('too many'),
      suggestions: expect.arrayContaining([expect.stringContaining('IdentitiesOnly')]),
    })
  })
})

test('IdentityFile may name the public half of a key that the agent holds', async () => {
  const key = allow(makeKey(join(sshd.dir, 'half')))
  const others = Array.from({length: 5}, (_, at) => makeKey(join(sshd.dir, `other-${at}`)))
  await withAgent([...others, key], (socket) =>
    login({
      config: [`IdentityFile ${key}.pub`, 'IdentitiesOnly yes'],
      env: {SSH_AUTH_SOCK: socket},
    }),
  )
})

test('a key file that others may read is not used, and it is said why', async () => {
  const key = allow(makeKey(join(sshd.dir, 'loose')))
  chmodSync(key, 0o644)
  await expect(login({config: only(key)})).rejects.toMatchObject({
    code: 'SSH_DENIED',
    message: expect.stringContaining('chmod 600'),
  })
})

test('a refusal says what the server takes and what was tried', async () => {
  const key = makeKey(join(sshd.dir, 'stranger'))
  await expect(login({config: only(key)})).rejects.toMatchObject({
    code: 'SSH_DENIED',
    message: expect.stringMatching(/takes publickey.*tried .*stranger/),
    details: {offered: ['publickey'], tried: [key]},
  })
})

const nothing = ['IdentityFile none', 'IdentityAgent none']

async function withServer(
  options: FakeSshOptions,
  work: (server: FakeSsh) => Promise<void>,
): Promise<void> {
  const server = await startFakeSsh(options)
  try {
    await work(server)
  } finally {
    await server.close()
  }
}

test('a password is taken from the caller, the environment or the user', async () => {
  await withServer({password: 'pw 1'}, async ({port}) => {
    await login({config: nothing, port, secrets: {password: 'pw 1'}})
    await login({config: nothing, port, env: {OLLAMAX_SSH_PASSWORD: 'pw 1'}})
    const ask = fakeAsk(['no', 'pw 1'])
    await login({config: nothing, port, ask})
    expect(ask.asked).toHaveLength(2)
  })
})

test('a wrong password from the environment is tried once and never shown', async () => {
  await withServer({password: 'right'}, async ({port, attempts}) => {
    const attempt = login({config: nothing, port, env: {OLLAMAX_SSH_PASSWORD: 'wr0ng'}})
    await expect(attempt).rejects.toMatchObject({code: 'SSH_DENIED'})
    const error = await attempt.catch((thrown: Error) => thrown)
    expect(String(error) + JSON.stringify(error)).not.toContain('wr0ng')
    expect(attempts.filter((method) => method === 'password')).toHaveLength(1)
  })
})

test('without a terminal and a password, it is said how to give one', async () => {
  await withServer({password: 'x'}, async ({port}) => {
    await expect(login({config: nothing, port})).rejects.toMatchObject({
      code: 'SSH_DENIED',
      suggestions: expect.arrayContaining([expect.stringContaining('OLLAMAX_SSH_PASSWORD')]),
    })
  })
})

test('keyboard-interactive asks each of its questions, with echo or without', async () => {
  await withServer({questions: {'Code: ': '123', 'Name? ': 'me'}}, async ({port}) => {
    const ask = fakeAsk(['123', 'me'])
    await login({config: nothing, port, ask})
    expect(ask.asked.join()).toContain('Code:')
  })
})

const SECRET = {OLLAMAX_SSH_PASSWORD: 'pw-1'}

test.each(['Password: ', "me@host's password: ", '(me@host) Password for me:', 'PASSWORD:'])(
  'a question for the password (%s) is answered by the one given',
  async (question) => {
    await withServer({questions: {[question]: 'pw-1'}}, async ({port}) => {
      await login({config: nothing, port, env: SECRET})
    })
  },
)

test.each<[string, Record<string, string>]>([
  ['a one-time code', {'Verification code: ': 'pw-1'}],
  ['a one-time password', {'One-time password (OATH) for `me`: ': 'pw-1'}],
  ['a new password', {'New password: ': 'pw-1'}],
  ['something that is shown', {'Your password? ': 'pw-1'}],
  ['two things at once', {'Password: ': 'pw-1', 'Password token: ': 'pw-1'}],
])('without a terminal a question for %s is not answered by the password', async (_, questions) => {
  await withServer({questions}, async ({port}) => {
    const attempt = login({config: nothing, port, env: SECRET})
    await expect(attempt).rejects.toMatchObject({
      code: 'NEEDS_TTY',
      message: expect.stringContaining(Object.keys(questions)[0]?.trim() ?? ''),
    })
    const error = await attempt.catch((thrown: Error) => thrown)
    expect(String(error) + JSON.stringify(error)).not.toContain('pw-1')
  })
})

test('a password that is given goes once, and what else is asked goes to the terminal', async () => {
  const questions = {'Password: ': 'pw-1', 'Verification code: ': '123456'}
  await withServer({questions, oneByOne: true}, async ({port}) => {
    const ask = fakeAsk(['123456'])
    await login({config: nothing, port, env: SECRET, ask})
    expect(ask.asked).toHaveLength(1)
    expect(ask.asked[0]).toContain('Verification code')
    await expect(login({config: nothing, port, env: SECRET})).rejects.toMatchObject({
      code: 'NEEDS_TTY',
      message: expect.stringContaining('Verification code'),
    })
  })
  const twice = {'Password: ': 'pw-1', 'Password again, please - password: ': 'pw-1'}
  await withServer({questions: twice, oneByOne: true}, async ({port}) => {
    await expect(login({config: nothing, port, env: SECRET})).rejects.toMatchObject({
      code: 'NEEDS_TTY',
    })
  })
})

test('a password that is given goes by the plain method before any question', async () => {
  const questions = {'Verification code: ': '1'}
  await withServer({password: 'pw-1', questions}, async ({port, attempts}) => {
    await login({config: nothing, port, env: SECRET})
    expect(attempts).not.toContain('keyboard-interactive')
  })
})

test('where a key and a password are wanted, both are given', async () => {
  await withServer({password: 'second', keyFirst: `${sshd.key}.pub`}, async ({port}) => {
    await login({config: only(sshd.key), port, secrets: {password: 'second'}})
    await withAgent([sshd.key], (socket) =>
      login({
        config: ['IdentityFile none'],
        env: {SSH_AUTH_SOCK: socket},
        port,
        secrets: {password: 'second'},
      }),
    )
  })
})

test('Ctrl-C at a question ends the login with that, not with a refusal', async () => {
  await withServer({password: 'x'}, async ({port}) => {
    const stop = Object.assign(new Error('interrupted'), {name: 'AbortError'})
    const ask = {...fakeAsk([]), secret: () => Promise.reject(stop)}
    await expect(login({config: nothing, port, ask})).rejects.toBe(stop)
  })
})

test('the time limits stand still while a person thinks', async () => {
  await withServer({password: 'slow'}, async ({port}) => {
    const ask = fakeAsk([true, 'slow'])
    const thinking = async <T>(answer: Promise<T>) => {
      await new Promise((resolve) => setTimeout(resolve, 1300))
      return answer
    }
    await login({
      config: [...nothing, 'ConnectTimeout 1'],
      port,
      accept: false,
      ask: {
        ...ask,
        confirm: (question, without) => thinking(ask.confirm(question, without)),
        secret: (question, without) => thinking(ask.secret(question, without)),
      },
    })
  })
})
