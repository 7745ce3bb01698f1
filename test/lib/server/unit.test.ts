import {execFileSync, spawnSync} from 'node:child_process'
import {mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {describe, expect, onTestFinished, test} from 'vitest'
import {planInstall, planUninstall} from '../../../src/lib/server/service/plan.ts'
import {
  UNIT_MARK,
  type UnitSpec,
  unitProblem,
  unitText,
} from '../../../src/lib/server/service/unit.ts'

const spec = (change: Partial<UnitSpec> = {}): UnitSpec => ({
  scope: 'system',
  cluster: 'default',
  command: ['/usr/bin/node', '/opt/x/run.js', 'serve', '--listen', '127.0.0.1:11435'],
  user: 'ann',
  env: {},
  envFile: '/etc/ollamax/serve.env',
  drainMs: 30_000,
  port: 11_435,
  ...change,
})
const lines = (change: Partial<UnitSpec>) => unitText(spec(change)).split('\n')
const line = (key: string, change: Partial<UnitSpec>) =>
  lines(change).filter((one) => one.startsWith(`${key}=`))

test('a unit of the machine runs as the account, with little else than it needs', () => {
  expect(unitText(spec()).split('\n')).toEqual(
    expect.arrayContaining([
      UNIT_MARK,
      'User=ann',
      'Type=exec',
      'ExecStart=/usr/bin/node /opt/x/run.js serve --listen 127.0.0.1:11435',
      'EnvironmentFile=-/etc/ollamax/serve.env',
      'Restart=on-failure',
      'TimeoutStopSec=40',
      'LimitNOFILE=65536',
      'NoNewPrivileges=yes',
      'ProtectSystem=full',
      'PrivateTmp=yes',
      'RestrictSUIDSGID=yes',
      'CapabilityBoundingSet=',
      'WantedBy=multi-user.target',
    ]),
  )
})

test('a unit of an account asks for nothing that its systemd cannot give', () => {
  const text = unitText(spec({scope: 'user', user: undefined}))
  expect(text).not.toMatch(/^(User|Protect\w+|Private\w+|\w*Capabilit\w+|After|Wants)=/m)
  expect(text).toContain('WantedBy=default.target')
  expect(text).toContain('NoNewPrivileges=yes')
})

test('only for a port of root it keeps the one right that it needs', () => {
  expect(line('CapabilityBoundingSet', {port: 443})).toEqual([
    'CapabilityBoundingSet=CAP_NET_BIND_SERVICE',
  ])
  expect(line('AmbientCapabilities', {port: 443})).toHaveLength(1)
  expect(line('AmbientCapabilities', {port: 1024})).toEqual([])
})

test.each([
  ['/a b/run.js', '"/a b/run.js"'],
  ['100%', '"100%%"'],
  ['%h/%i', '"%%h/%%i"'],
  ['say "hi"', '"say \\"hi\\""'],
  ["it's", '"it\'s"'],
  ['back\\slash', '"back\\\\slash"'],
  ['$HOME', '"$$HOME"'],
  ['a$$b', '"a$$$$b"'],
  ['', '""'],
  [';', '";"'],
  ['grüße', '"grüße"'],
  ['a=b,c:d@e', 'a=b,c:d@e'],
])('the word %j stands in ExecStart as %s', (word, written) => {
  expect(line('ExecStart', {command: ['/usr/bin/node', word]})).toEqual([
    `ExecStart=/usr/bin/node ${written}`,
  ])
})

test('of the program itself systemd expands no variable, and of the environment neither', () => {
  expect(line('ExecStart', {command: ['/a $b/no%de']})).toEqual(['ExecStart="/a $b/no%%de"'])
  expect(line('Environment', {env: {OLLAMAX_HOME: '/a $b/50%/"c"'}})).toEqual([
    'Environment="OLLAMAX_HOME=/a $b/50%%/\\"c\\""',
  ])
  expect(line('EnvironmentFile', {envFile: '/a b/50%/serve.env'})).toEqual([
    'EnvironmentFile=-/a b/50%%/serve.env',
  ])
})

test.each<[string, Partial<UnitSpec>]>([
  ['control character', {command: ['/usr/bin/node', 'a\nExecStartPre=/bin/sh']}],
  ['control character', {env: {X: 'a\u0000b'}}],
  ['control character', {envFile: '/a\n[Service]'}],
  ['begins or ends with a space', {envFile: '/a/serve.env '}],
  ['no absolute path', {command: ['node', 'x']}],
  ['no absolute path', {command: []}],
  ['quotes or backslashes', {command: ["/it's/node"]}],
  ['quotes or backslashes', {command: ['/a\\b/node']}],
  ['name of an account', {user: 'ann\nUser=root'}],
  ['name of an account', {user: '%i'}],
  ['name of an account', {user: ''}],
])('what would say something else in a unit is refused: %s', (words, change) => {
  expect(unitProblem(spec())).toBeUndefined()
  expect(unitProblem(spec(change))).toContain(words)
})

/** The systemd of this machine reads the unit as it would before it starts it; nothing is started. */
const verify = (file: string) =>
  spawnSync('systemd-analyze', ['verify', '--man=no', file], {encoding: 'utf8'})
const {error: noSystemd} = spawnSync('systemd-analyze', ['--version'])

describe('systemd itself', () => {
  test.each(['plain', 'a b', '50%', '$HOME', '%h', 'grüße', ';', '{}'])(
    'finds the program in a directory called %j',
    (name) => {
      if (noSystemd) throw new Error('systemd-analyze is needed: apt install systemd')
      const root = mkdtempSync(join(tmpdir(), 'ollamax-unit-'))
      onTestFinished(() => rmSync(root, {recursive: true}))
      const bin = join(root, name)
      mkdirSync(bin)
      symlinkSync(process.execPath, join(bin, 'node'))
      const file = join(root, 'ollamax.service')
      const me = execFileSync('id', ['-un'], {encoding: 'utf8'}).trim()
      const command = [join(bin, 'node'), join(bin, 'run.js'), 'serve', '--origin', '%h $HOME "x"']
      const env = {OLLAMAX_HOME: join(bin, 'home')}
      const envFile = join(bin, 'serve.env')
      writeFileSync(file, unitText(spec({command, env, envFile, user: me})))
      const good = verify(file)
      expect([good.status, good.stdout + good.stderr]).toEqual([0, ''])
      // It would say so if it had not understood.
      writeFileSync(file, unitText(spec({command: [join(bin, 'gone')], user: me})))
      expect(verify(file).stderr).toContain('gone')
    },
  )
})

const facts = (change: object = {}) => ({text: undefined, enabled: false, active: false, ...change})
const FILE = '/etc/systemd/system/ollamax.service'
const told = (steps: readonly object[]) =>
  steps.map((step) =>
    'args' in step ? (step.args as string[]).join(' ') : (step as {kind: string}).kind,
  )

test.each([
  [
    'nothing there',
    facts(),
    ['write', 'daemon-reload', 'enable ollamax.service', 'restart ollamax.service'],
  ],
  [
    'another text',
    facts({text: `${UNIT_MARK}\nold`, enabled: true, active: true}),
    ['write', 'daemon-reload', 'enable ollamax.service', 'restart ollamax.service'],
  ],
  [
    'a directory that is lacking',
    facts({text: unitText(spec()), enabled: true, active: true, lacks: '/var/cache/x'}),
    ['directory'],
  ],
  ['stopped', facts({text: unitText(spec()), enabled: true}), ['restart ollamax.service']],
  ['not enabled', facts({text: unitText(spec()), active: true}), ['enable ollamax.service']],
  ['as wanted', facts({text: unitText(spec()), enabled: true, active: true}), []],
])('to install, with %s', (_, found, steps) => {
  expect(told(planInstall(spec(), FILE, found).steps)).toEqual(steps)
})

test('to uninstall, it is stopped, removed and forgotten; where there is none, nothing is done', () => {
  const there = facts({text: unitText(spec()), enabled: true, active: true})
  expect(told(planUninstall('user', FILE, there).steps)).toEqual([
    '--user disable --now ollamax.service',
    'remove',
    '--user daemon-reload',
  ])
  expect(planUninstall('system', FILE, facts()).steps).toEqual([])
})

test('a unit of that name that somebody else wrote is left alone', () => {
  const foreign = facts({text: '[Service]\nExecStart=/usr/bin/other\n', active: true})
  for (const plan of [planInstall(spec(), FILE, foreign), planUninstall('system', FILE, foreign)])
    expect(plan).toEqual({steps: [], problem: expect.stringContaining('not written by ollamax')})
})
