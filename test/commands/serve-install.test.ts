import {execFileSync} from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from 'vitest'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {type FakeSystemd, fakeSystemd} from '../support/fake-systemd.ts'
import {runCli} from '../support/run-cli.ts'
import {freePort} from '../support/sshd.ts'
import {type TempHome, tempHome} from '../support/temp-home.ts'

// Against a stand-in for systemctl that reads the unit and runs its command: no systemd runs where this is tested. What
// systemd itself makes of the text is seen in test/lib/server/unit.test.ts. A mount namespace of the test's own keeps the
// machine's /etc as it is.

let home: TempHome
let node: FakeOllama
let systemd: FakeSystemd
let etc: string
let port: number
beforeEach(async () => {
  home = tempHome()
  node = await startFakeOllama()
  port = await freePort()
  etc = join(home.dir, 'etc')
  mkdirSync(join(etc, 'systemd/system'), {recursive: true})
  systemd = fakeSystemd(join(etc, 'systemd/system'))
  writeCluster()
})
afterEach(async () => {
  systemd.close()
  await node.close()
  home.dispose()
})

const clusters = () => join(home.dir, 'ollamax/clusters')
function writeCluster(more = '') {
  mkdirSync(clusters(), {recursive: true})
  writeFileSync(
    join(clusters(), 'default.yaml'),
    `apiVersion: ollamax/v1\nkind: Cluster\nnodes:\n  - {name: n1, url: "${node.url}"${more}}\n`,
  )
}
const unit = () => join(etc, 'systemd/system/ollamax.service')
const env = () => systemd.env(home.env)

/** As root, whose /etc/systemd/system is the test's own. */
const asRoot = (...words: string[]) =>
  runCli(['serve', ...words], {
    env: env(),
    wrap: [
      ...['unshare', '--mount', 'sh', '-c'],
      `mount --bind "${etc}/systemd/system" /etc/systemd/system && exec "$@"`,
      'sh',
    ],
  })
const install = (...words: string[]) =>
  asRoot('--install', '--user', 'root', '--listen', `127.0.0.1:${port}`, ...words)
const answer = async () => {
  const body = JSON.stringify({model: 'tiny', prompt: 'hi', stream: false})
  const reply = await fetch(`http://127.0.0.1:${port}/api/generate`, {method: 'POST', body})
  return {status: reply.status, by: reply.headers.get('x-ollamax-node')}
}

describe('as root', () => {
  test('it is written, enabled, started, and answers; again there is nothing to do; and it goes', async () => {
    const first = await install('--yes')
    expect([first.code, first.stdout]).toEqual([
      0,
      expect.stringContaining(`answers at http://127.0.0.1:${port}`),
    ])
    expect(first.stdout).toContain('journalctl -u ollamax.service -f')
    expect(await answer()).toEqual({status: 200, by: 'n1'})
    expect(systemd.changes()).toEqual([
      'daemon-reload',
      'enable ollamax.service',
      'restart ollamax.service',
    ])
    expect(statSync(unit()).mode & 0o777).toBe(0o644)
    expect(readFileSync(unit(), 'utf8')).toContain('User=root')

    const again = await install('--yes', '--json')
    expect(JSON.parse(again.stdout)).toMatchObject({steps: [], applied: false, scope: 'system'})
    expect(systemd.changes()).toHaveLength(3)

    const gone = await asRoot('--uninstall', '--yes')
    expect([gone.code, gone.stdout]).toEqual([0, 'removed /etc/systemd/system/ollamax.service\n'])
    expect(existsSync(unit())).toBe(false)
    await expect(answer()).rejects.toThrow()
    expect((await asRoot('--uninstall', '--yes')).stdout).toBe('no service is installed\n')
  })

  test('other flags change the unit and restart it', async () => {
    await install('--yes')
    const changed = await install('--yes', '--origin', 'https://a b%h$HOME"c')
    expect(changed.code).toBe(0)
    expect(systemd.changes().slice(3)).toEqual([
      'daemon-reload',
      'enable ollamax.service',
      'restart ollamax.service',
    ])
    const page = await fetch(`http://127.0.0.1:${port}/api/tags`, {
      headers: {origin: 'https://a b%h$HOME"c'},
    })
    expect(page.status).toBe(200)
  })

  test('--dry-run prints the unit and the steps and changes nothing, also where no systemd runs', async () => {
    systemd.mark('offline')
    const {code, stdout} = await install('--dry-run')
    expect(code).toBe(0)
    expect(stdout).toContain('ExecStart=')
    expect(stdout).toContain('  systemctl enable ollamax.service')
    expect([existsSync(unit()), systemd.changes()]).toEqual([false, []])
    const real = await install('--yes')
    expect([real.code, real.stderr]).toEqual([1, expect.stringContaining('no systemd runs here')])
    expect(existsSync(unit())).toBe(false)
  })

  test('without a terminal it needs --yes, and without an account it asks for one', async () => {
    const {code, stderr} = await install()
    expect([code, stderr]).toEqual([2, expect.stringContaining('--yes')])
    expect(existsSync(unit())).toBe(false)
    const nobody = await asRoot('--install', '--listen', `127.0.0.1:${port}`, '--yes')
    expect([nobody.code, nobody.stderr]).toEqual([2, expect.stringContaining('--user NAME')])
    const unknown = await asRoot('--install', '--user', 'no-such-account', '--yes')
    expect(unknown.stderr).toContain('there is no account "no-such-account"')
  })

  test('what serve would refuse is refused before anything is changed', async () => {
    const refusals: [readonly string[], string][] = [
      [['--listen', `0.0.0.0:${port}`], 'no key is asked for'],
      [['--cluster', 'none'], 'no cluster "none"'],
      [['--config', join(home.dir, 'none.yaml')], 'no cluster "none"'],
      [['--listen', '127.0.0.1:0'], 'a port that is always the same'],
      [['--listen', `127.0.0.1:${new URL(node.url).port}`], 'listens on'],
    ]
    for (const [words, why] of refusals) {
      const {code, stderr} = await asRoot('--install', '--user', 'root', '--yes', ...words)
      expect(code).not.toBe(0)
      expect(stderr).toContain(why)
    }
    writeFileSync(join(clusters(), 'default.yaml'), 'nodes: [')
    expect((await install('--yes')).stderr).toContain('default.yaml')
    expect([existsSync(unit()), systemd.changes()]).toEqual([false, []])
  })

  test('a service that does not come up is an error with its last words', async () => {
    const cert = join(home.dir, 'bad.pem')
    writeFileSync(cert, 'no certificate')
    const {code, stderr} = await install('--yes', '--tls-cert', cert, '--tls-key', cert)
    expect(code).toBe(1)
    expect(stderr).toContain('does not answer')
    expect(stderr).toContain('the certificate or its key cannot be used')
  }, 60_000)

  test('a secret is in no unit: it is told where to put it, and from there the service has it', async () => {
    writeCluster(', headers: {X-Secret: {env: NODE_SECRET}}')
    await node.set({requireHeaders: {'x-secret': 'hush'}})
    const secret = {...env(), NODE_SECRET: 'hush'}
    const words = ['serve', '--install', '--user', 'root', '--listen', `127.0.0.1:${port}`]
    const {stdout, stderr} = await runCli([...words, '--dry-run'], {env: secret})
    expect(stderr).toContain('takes NODE_SECRET from the environment: put it into')
    expect(stdout + stderr).not.toContain('hush')
  })

  test('a unit of that name that is not ours is neither replaced nor removed', async () => {
    writeFileSync(unit(), '[Service]\nExecStart=/bin/true\n')
    for (const done of [await install('--yes'), await asRoot('--uninstall', '--yes')]) {
      expect(done.code).toBe(1)
      expect(done.stderr).toContain('was not written by ollamax')
    }
    expect(readFileSync(unit(), 'utf8')).toContain('/bin/true')
    expect(systemd.changes()).toEqual([])
  })

  test('--dry-run without --install serves nothing', async () => {
    const {code, stderr} = await asRoot('--dry-run')
    expect([code, stderr]).toEqual([2, expect.stringContaining('--install')])
  })
})

describe('as an account', () => {
  let program: string
  /** Where an account that is not root can read it. */
  beforeAll(() => {
    program = mkdtempSync(join(tmpdir(), 'ollamax program-'))
    chmodSync(program, 0o755)
    const root = join(import.meta.dirname, '../..')
    for (const part of ['bin', 'dist', 'package.json'])
      cpSync(join(root, part), join(program, part), {recursive: true})
    cpSync(process.execPath, join(program, 'node'))
  })
  afterAll(() => rmSync(program, {recursive: true}))

  const NOBODY = 65_534

  /** Of `nobody`, whose home is the test's. */
  function run(...words: string[]) {
    const units = join(home.dir, '.config/systemd/user')
    const mine: Readonly<Record<string, string>> = {
      ...env(),
      FAKE_NODE: join(program, 'node'),
      XDG_CONFIG_HOME: join(home.dir, '.config'),
    }
    execFileSync('chown', ['-R', String(NOBODY), home.dir, mine.FAKE_SYSTEMD ?? ''])
    writeFileSync(join(mine.FAKE_SYSTEMD ?? '', 'dir'), units)
    return runCli(['serve', ...words], {
      env: mine,
      cwd: home.dir,
      wrap: [
        ...['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'],
        ...['sh', '-c', `shift; shift; exec "${program}/node" "${program}/bin/run.js" "$@"`, 'sh'],
      ],
    })
  }

  test('it becomes a service of the account, told how to outlive its logout', async () => {
    const words = ['--install', '--listen', `127.0.0.1:${port}`, '--yes', '--json']
    const {code, stdout, stderr} = await run(...words)
    expect([code, stderr.replace(/^warning.*\n/gm, '')]).toEqual([0, expect.any(String)])
    const result = JSON.parse(stdout)
    const file = join(home.dir, '.config/systemd/user/ollamax.service')
    expect(result).toMatchObject({
      scope: 'user',
      file,
      applied: true,
      steps: [
        `write ${file}`,
        'systemctl --user daemon-reload',
        'systemctl --user enable ollamax.service',
        'systemctl --user restart ollamax.service',
      ],
      log: 'journalctl --user -u ollamax.service -f',
      warnings: [expect.stringContaining('loginctl enable-linger nobody')],
    })
    expect(await answer()).toEqual({status: 200, by: 'n1'})
    const gone = await run('--uninstall', '--yes')
    expect([gone.code, existsSync(file)]).toEqual([0, false])
  })

  test('it cannot choose another account', async () => {
    const {code, stderr} = await run('--install', '--user', 'root', '--yes')
    expect([code, stderr]).toEqual([2, expect.stringContaining('only root')])
  })

  test('a secret comes from the file beside its settings', async () => {
    writeCluster(', headers: {X-Secret: {env: NODE_SECRET}}')
    await node.set({requireHeaders: {'x-secret': 'hush'}})
    const file = join(home.dir, '.config/ollamax/serve.env')
    mkdirSync(join(home.dir, '.config/ollamax'), {recursive: true})
    writeFileSync(file, 'NODE_SECRET=hush\n', {mode: 0o600})
    const {code, stderr} = await run('--install', '--listen', `127.0.0.1:${port}`, '--yes')
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('NODE_SECRET')])
    expect(await answer()).toEqual({status: 200, by: 'n1'})
  })
})
