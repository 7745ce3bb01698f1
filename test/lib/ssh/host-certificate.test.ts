import {spawnSync} from 'node:child_process'
import {readFileSync, writeFileSync} from 'node:fs'
import {mkdtemp, rm} from 'node:fs/promises'
import {type AddressInfo, connect as connectTcp, createServer} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeAll, expect, test} from 'vitest'
import {type DialOptions, dial} from '../../../src/lib/ssh/dial.ts'
import {resolveTarget} from '../../../src/lib/ssh/target.ts'
import {type CertificateOptions, makeCertificate, publicWords} from '../../support/certificate.ts'
import {fakeAsk} from '../../support/fake-ask.ts'
import {makeKey, type Sshd, type SshdOptions, startSshd} from '../../support/sshd.ts'

let dir: string
const authorities: Record<string, string> = {}
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ox-ca-'))
  for (const type of ['ed25519', 'ecdsa', 'rsa']) {
    authorities[type] = makeKey(join(dir, `ca_${type}`), type)
  }
  authorities.other = makeKey(join(dir, 'ca_other'))
})
afterAll(() => rm(dir, {recursive: true, force: true}))

const caLine = (hosts: string, ca = 'ed25519') =>
  `@cert-authority ${hosts} ${publicWords(`${authorities[ca]}.pub`)}\n`

interface Signed extends Partial<Omit<CertificateOptions, 'authority'>> {
  readonly ca?: string
  /** Type of the host key that is signed. */
  readonly type?: 'ed25519' | 'ecdsa' | 'rsa'
}

/** A server whose host key is signed as told, with that known_hosts (by default one line of the authority). */
async function withHost(
  {ca = 'ed25519', type = 'ed25519', ...signed}: Signed,
  work: (sshd: Sshd) => Promise<void>,
  options: SshdOptions = {},
): Promise<void> {
  const sshd = await startSshd({
    ...options,
    prepare: (place) => {
      const authority = authorities[ca] ?? ''
      const names = '127.0.0.1'
      return [
        `HostCertificate ${makeCertificate(join(place, `host_${type}`), {names, ...signed, authority})}`,
      ]
    },
  })
  writeFileSync(sshd.knownHosts, caLine('*', ca))
  try {
    await work(sshd)
  } finally {
    await sshd.stop()
  }
}

async function connect(sshd: Sshd, options: Partial<DialOptions> = {}, config = 'strict') {
  const file = join(sshd.dir, 'ssh_config_now')
  const head = config === 'strict' ? 'StrictHostKeyChecking yes' : config
  writeFileSync(file, `${head}\n${readFileSync(sshd.configFile, 'utf8')}`)
  const env = {...sshd.env, OLLAMAX_SSH_CONFIG: file}
  const remote = await dial(await resolveTarget(sshd.target, {env}), {env, ...options})
  await remote.close()
  return {hostKey: remote.hostKey, certified: remote.certified}
}

/** True if OpenSSH itself connects with the configuration of the last `connect`. */
function sshConnects(sshd: Sshd): boolean {
  const {port} = sshd
  const file = join(sshd.dir, 'ssh_config_now')
  const args = ['-F', file, '-o', 'BatchMode=yes', '-p', String(port), '127.0.0.1', 'true']
  return spawnSync('ssh', args, {stdio: 'ignore'}).status === 0
}

const refusal = (attempt: Promise<unknown>) =>
  attempt.then(
    () => expect.unreachable('it was let through'),
    (error: {code: string; message: string; details: object; suggestions: string[]}) => error,
  )

test.each([
  ['ed25519', 'ed25519', []],
  ['ecdsa', 'rsa', []],
  ['rsa', 'ecdsa', ['-t', 'rsa-sha2-512']],
  ['rsa', 'ed25519', ['-t', 'rsa-sha2-256']],
] as const)(
  'a host that an authority (%s) vouches for (its %s key) is trusted, and nothing is asked or put on record',
  async (ca, type, more) => {
    await withHost(
      {ca, type, more},
      async (sshd) => {
        const before = readFileSync(sshd.knownHosts, 'utf8')
        const found = await connect(sshd)
        expect(found).toEqual({
          hostKey: sshd.fingerprint(type),
          certified: true,
        })
        expect(readFileSync(sshd.knownHosts, 'utf8')).toBe(before)
      },
      {keyTypes: type === 'ed25519' ? ['ed25519'] : ['ed25519', type]},
    )
  },
)

test.each<[string, Signed, string]>([
  ['expired', {validity: '20200101:20200201'}, 'expired on 2020-0'],
  ['not-yet', {validity: '+1d:+2d'}, 'valid only from'],
  ['names', {names: 'db1.example,db2.example'}, 'for db1.example, db2.example, not for 127.0.0.1'],
  ['names', {names: ''}, 'for no host at all'],
  ['names', {names: '127.0.0.*'}, 'not for 127.0.0.1'],
  ['role', {role: 'user'}, 'for a user'],
  ['algorithm', {ca: 'rsa', more: ['-t', 'ssh-rsa']}, 'ssh-rsa, which is not allowed'],
])(
  'a certificate that is no good (%s) is refused with its reason: %#',
  async (certificate, signed, text) => {
    await withHost(signed, async (sshd) => {
      const error = await refusal(connect(sshd))
      expect(error.code).toBe('HOST_KEY_UNKNOWN')
      expect(error.message).toContain(text)
      expect(error.message).toContain(`${sshd.knownHosts}:1`)
      expect(error.details).toMatchObject({certificate})
    })
  },
)

test('a certificate by another authority counts for nothing, and both are named', async () => {
  await withHost({ca: 'other'}, async (sshd) => {
    writeFileSync(sshd.knownHosts, caLine('*'))
    const error = await refusal(connect(sshd))
    expect(error).toMatchObject({
      code: 'HOST_KEY_UNKNOWN',
      details: {certificate: 'other-authority'},
    })
    expect(error.message).toContain('signed by another one, SHA256:')
  })
})

test('CASignatureAlgorithms is honoured', async () => {
  await withHost({ca: 'ecdsa'}, async (sshd) => {
    const only = 'StrictHostKeyChecking yes\nCASignatureAlgorithms ssh-ed25519'
    const error = await refusal(connect(sshd, {}, only))
    expect(error.details).toMatchObject({certificate: 'algorithm'})
  })
})

test('a host without a certificate is asked about as ever, and it is said that an authority is on record', async () => {
  const sshd = await startSshd()
  try {
    writeFileSync(sshd.knownHosts, caLine('*'))
    expect(await refusal(connect(sshd))).toMatchObject({
      code: 'HOST_KEY_UNKNOWN',
      message: expect.stringContaining('shows no certificate'),
      details: {certificate: 'none'},
    })
    const ask = fakeAsk([true])
    expect(await connect(sshd, {ask}, '')).toEqual({
      hostKey: sshd.fingerprint(),
      certified: false,
    })
    expect(ask.asked.join()).toContain('shows no certificate')
    expect(await connect(sshd)).toMatchObject({certified: false})
  } finally {
    await sshd.stop()
  }
})

test('who takes any new key takes one with a bad certificate, too, but never in silence', async () => {
  await withHost({validity: '20200101:20200201'}, async (sshd) => {
    const notes: string[] = []
    const note = (text: string) => notes.push(text)
    const found = await connect(sshd, {accept: true, note}, '')
    expect(found.certified).toBe(false)
    expect(notes.join()).toContain('expired')
  })
})

test('a revoked authority and a revoked host key are refused, whatever is accepted', async () => {
  await withHost({}, async (sshd) => {
    writeFileSync(
      sshd.knownHosts,
      `${caLine('*')}${caLine('*').replace('cert-authority', 'revoked')}`,
    )
    const error = await refusal(connect(sshd, {accept: true}, ''))
    expect(error.code).toBe('HOST_KEY_REVOKED')
    expect(error.message).toContain(`certificate signed by`)
    expect(error.message).toContain(`${sshd.knownHosts}:2`)
    const key = publicWords(join(sshd.dir, 'host_ed25519.pub'))
    writeFileSync(sshd.knownHosts, `${caLine('*')}@revoked * ${key}\n`)
    expect(await refusal(connect(sshd, {accept: true}, ''))).toMatchObject({
      code: 'HOST_KEY_REVOKED',
      message: expect.stringContaining(sshd.fingerprint()),
    })
  })
})

test.each<[string, (port: number) => string, boolean]>([
  ['a wildcard', () => '127.0.*', true],
  ['a wildcard with another port', (port) => `[127.0.*]:${port + 1}`, false],
  ['the port', (port) => `[127.0.0.1]:${port}`, true],
  ['a wildcard with the port', (port) => `[127.*]:${port}`, true],
  ['the plain name, whatever the port', () => '127.0.0.1', true],
  ['a list that takes it out again', () => '*,!127.0.0.1,![127.0.0.1]:*', false],
  ['another host', () => '*.example', false],
])('an authority counts for the hosts of its line: %s', async (_, hosts, trusted) => {
  await withHost({}, async (sshd) => {
    writeFileSync(sshd.knownHosts, caLine(hosts(sshd.port)))
    if (trusted) expect(await connect(sshd)).toMatchObject({certified: true})
    else {
      const error = await refusal(connect(sshd))
      expect(error.code).toBe('HOST_KEY_UNKNOWN')
      expect(error.message).not.toContain('certificate')
    }
    expect(sshConnects(sshd)).toBe(trusted)
  })
})

test('an authority for the very port does not hide the one for the host', async () => {
  await withHost({}, async (sshd) => {
    const near = caLine(`[127.0.0.1]:${sshd.port}`, 'other')
    writeFileSync(sshd.knownHosts, near + caLine('127.0.0.1'))
    expect(await connect(sshd)).toMatchObject({certified: true})
    expect(sshConnects(sshd)).toBe(true)
  })
})

test('a revoked authority is refused also where another line about the host says so', async () => {
  await withHost({}, async (sshd) => {
    const revoked = caLine(`[127.0.0.1]:${sshd.port}`).replace('cert-authority', 'revoked')
    writeFileSync(sshd.knownHosts, revoked + caLine('127.0.0.1'))
    expect(await refusal(connect(sshd))).toMatchObject({code: 'HOST_KEY_REVOKED'})
    expect(sshConnects(sshd)).toBe(false)
  })
})

test('a certificate is for the name that ssh checks: HostName, or HostKeyAlias', async () => {
  await withHost({names: 'the-box'}, async (sshd) => {
    const strict = 'StrictHostKeyChecking yes'
    expect(await connect(sshd, {}, `${strict}\nHostKeyAlias The-Box`)).toMatchObject({
      certified: true,
    })
    expect(await refusal(connect(sshd))).toMatchObject({details: {certificate: 'names'}})
  })
})

test('a plain key on record decides before any certificate', async () => {
  await withHost({validity: '20200101:20200201'}, async (sshd) => {
    const key = publicWords(join(sshd.dir, 'host_ed25519.pub'))
    writeFileSync(sshd.knownHosts, `${caLine('*')}[127.0.0.1]:${sshd.port} ${key}\n`)
    expect(await connect(sshd)).toMatchObject({certified: false})
  })
})

test('a new key under the authority is trusted where an old plain one is still on record', async () => {
  await withHost({}, async (sshd) => {
    const old = publicWords(`${makeKey(join(sshd.dir, 'old'))}.pub`)
    writeFileSync(sshd.knownHosts, `${caLine('*')}[127.0.0.1]:${sshd.port} ${old}\n`)
    expect(await connect(sshd)).toMatchObject({certified: true})
    writeFileSync(sshd.knownHosts, `${caLine('*')}127.0.0.1 ${old}\n`)
    expect(await connect(sshd)).toMatchObject({certified: true})
  })
})

test('where neither the old plain key nor the certificate fits, the key has changed', async () => {
  await withHost({validity: '20200101:20200201'}, async (sshd) => {
    const old = publicWords(`${makeKey(join(sshd.dir, 'old'))}.pub`)
    writeFileSync(sshd.knownHosts, `${caLine('*')}[127.0.0.1]:${sshd.port} ${old}\n`)
    const error = await refusal(connect(sshd, {accept: true}, ''))
    expect(error.code).toBe('HOST_KEY_CHANGED')
    expect(error.message).toContain('expired')
  })
})

test('a pinned key and a given fingerprint are the only ones that will do, whoever vouches for another', async () => {
  await withHost({}, async (sshd) => {
    const pinned = 'SHA256:pinned'
    const connections = () => sshd.log().match(/Connection from/g)?.length
    expect(await connect(sshd, {pinned: sshd.fingerprint()})).toMatchObject({certified: false})
    expect(connections()).toBe(1)
    expect(await connect(sshd)).toMatchObject({certified: true})
    expect(connections()).toBe(3)
    const error = await refusal(connect(sshd, {pinned}))
    expect(error.code).toBe('HOST_KEY_CHANGED')
    expect(error.suggestions.join()).toContain(`authority in ${sshd.knownHosts}:1`)
    expect(await refusal(connect(sshd, {accept: pinned}))).toMatchObject({
      code: 'HOST_KEY_CHANGED',
    })
  })
})

test('each machine on the way and the one behind it are trusted by their certificates', async () => {
  await withHost({names: '127.0.0.1,jump.example'}, async (jump) => {
    await withHost({ca: 'rsa'}, async (sshd) => {
      writeFileSync(
        sshd.knownHosts,
        caLine(`[127.0.0.1]:${jump.port}`) + caLine(`[127.0.0.1]:${sshd.port}`, 'rsa'),
      )
      const keys = readFileSync(join(jump.dir, 'authorized_keys'), 'utf8')
      writeFileSync(
        join(jump.dir, 'authorized_keys'),
        keys + readFileSync(`${sshd.key}.pub`, 'utf8'),
      )
      const config = `StrictHostKeyChecking yes\nMatch originalhost 127.0.0.1 exec "test %p = ${sshd.port}"\n  ProxyJump 127.0.0.1:${jump.port}\nMatch all`
      expect(await connect(sshd, {}, config)).toEqual({
        hostKey: sshd.fingerprint(),
        certified: true,
      })
      expect(jump.logins()).toBe(1)
    })
  })
})

test('who shows the certificate of a host but another key is refused, whatever is accepted', async () => {
  await withHost({}, async (sshd) => {
    const thief = await startSshd()
    writeFileSync(join(thief.dir, 'authorized_keys'), readFileSync(`${sshd.key}.pub`))
    let count = 0
    // The first connection, for the certificate, is the true host's.
    const between = createServer((socket) => {
      const to = connectTcp((++count % 2 === 1 ? sshd : thief).port, '127.0.0.1')
      socket.pipe(to).pipe(socket)
      for (const end of [socket, to]) end.on('error', () => {})
    })
    await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve))
    try {
      const {port} = between.address() as AddressInfo
      const target = await resolveTarget(`${sshd.user}@127.0.0.1:${port}`, {env: sshd.env})
      for (const accept of [undefined, true]) {
        const ask = fakeAsk([true])
        const error = await refusal(dial(target, {env: sshd.env, accept, ask}))
        expect(error.code).toBe('HOST_KEY_CHANGED')
        expect(error.message).toContain(`${thief.fingerprint()}, but its certificate`)
        expect(error.message).toContain(sshd.fingerprint())
        expect(ask.asked).toEqual([])
      }
      expect(thief.logins()).toBe(0)
    } finally {
      between.close()
      await thief.stop()
    }
  })
})

test('a server that allows one stranger at a time can be asked for its certificate', async () => {
  await withHost({}, async (sshd) => expect(await connect(sshd)).toMatchObject({certified: true}), {
    config: ['MaxStartups 1:100:1'],
  })
})

test('the certificate comes by a ProxyCommand, too', async () => {
  await withHost({}, async (sshd) => {
    const relay = `const s=require("net").connect(%p,"%h");process.stdin.pipe(s).pipe(process.stdout)`
    const config = `StrictHostKeyChecking yes\nProxyCommand ${process.execPath} -e '${relay}'`
    expect(await connect(sshd, {}, config)).toMatchObject({certified: true})
  })
})

test('HostKeyAlgorithms without certificates asks for none', async () => {
  await withHost({}, async (sshd) => {
    const config = 'StrictHostKeyChecking yes\nHostKeyAlgorithms ssh-ed25519'
    expect(await refusal(connect(sshd, {}, config))).toMatchObject({
      details: {certificate: 'none'},
    })
    expect(sshConnects(sshd)).toBe(false)
  })
})
