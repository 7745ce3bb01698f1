import {once} from 'node:events'
import {copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync} from 'node:fs'
import {connect} from 'node:net'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {readVitals} from '../../../src/lib/jobs/doctor/read-vitals.ts'
import {VITALS} from '../../../src/lib/jobs/doctor/vitals-script.ts'
import {CONTROL, LOGS} from '../../../src/lib/jobs/service-scripts.ts'
import {inspectArtifact} from '../../../src/lib/provision/artifact.ts'
import type {Facts} from '../../../src/lib/provision/facts.ts'
import {FACTS_SCRIPT} from '../../../src/lib/provision/facts-script.ts'
import {
  AT_BOOT_LAUNCHD,
  KILL_LAUNCHD,
  plistText,
  START_LAUNCHD,
  TAKE_LAUNCHD,
  WHY_DOWN_LAUNCHD,
} from '../../../src/lib/provision/launchd.ts'
import {layoutFor, stagingDir} from '../../../src/lib/provision/layout.ts'
import {planNode, stagedName} from '../../../src/lib/provision/plan.ts'
import {planRemoval} from '../../../src/lib/provision/plan-removal.ts'
import type {Action, WantedNode} from '../../../src/lib/provision/plan-value.ts'
import {readFacts} from '../../../src/lib/provision/read-facts.ts'
import {verify} from '../../../src/lib/provision/verify.ts'
import type {Remote} from '../../../src/lib/ssh/remote.ts'
import {bareHost, goodArtifact} from '../../support/facts.ts'
import {type FakeMac, fakeMac} from '../../support/fake-mac.ts'
import {startFakeOllama} from '../../support/fake-ollama.ts'

let mac: FakeMac
beforeEach(() => {
  mac = fakeMac()
})
afterEach(() => mac.close())

/** As the script sees it; what of this machine shines through is set aside. */
function look(change: Partial<Facts> = {}): Facts {
  const facts = readFacts(mac.run(FACTS_SCRIPT, ['', '', '']), {startMs: 0, endMs: 1})
  if (!facts) throw new Error('the facts are not whole')
  const nothing = {trees: [], pending: false, manifest: {}}
  return {...facts, system: nothing, init: {kind: 'launchd'}, gpus: [], ...change}
}

const apply = (actions: readonly Action[]) => {
  for (const {script, args} of actions) mac.run(script, args)
}

/** The official archive for macOS is flat: the program beside its libraries. */
async function archive() {
  const path = join(mac.home, '../ollama-darwin.tgz')
  mac.run(
    `cd "$FAKE" && printf '#!/bin/sh\\necho ollama version is 0.33.0\\n' >ollama && chmod 755 ollama &&
     : >libggml-cpu-haswell.so && tar -czf "$1" ollama libggml-cpu-haswell.so`,
    [path],
  )
  return inspectArtifact(path)
}

const answering = {version: '0.33.0', answers: '0.33.0', containers: []}

test('an account without root gets an agent, which is controlled, read, and taken away without a trace', async () => {
  const artifact = await archive()
  const env = {OLLAMA_X: 'a<b & c'}
  const wanted: WantedNode = {
    install: true,
    userMode: false,
    port: 18_434,
    env,
    source: {kind: 'carry', artifact},
  }
  const {listener: _, ...bare} = look()
  expect(bare).toMatchObject({os: 'darwin', arch: 'arm64', sudo: 'denied', user: 'ann'})
  const plan = planNode(bare, wanted)
  expect(plan).toMatchObject({install: 'user', keeper: 'launchd', problems: [], fresh: true})
  expect(plan.warnings.join('\n')).toContain('only while the account is logged in')
  const [stage, ...rest] = plan.actions
  if (!stage) throw new Error('nothing is to be done')
  apply([stage])
  copyFileSync(artifact.path, join(stagingDir(mac.home), stagedName(artifact.sha256)))
  apply(rest)

  const root = layoutFor('user', mac.home).root
  expect(mac.run('"$1/current/bin/ollama" -v', [root])).toContain('0.33.0')
  expect(existsSync(join(root, 'current/bin/libggml-cpu-haswell.so'))).toBe(true)
  expect(mac.calls()).toContain('bootstrap gui/501 ')
  const seen = look({ollama: answering})
  expect(seen).toMatchObject({port: 18_434, listener: {address: '127.0.0.1', user: 'ann'}})
  expect(planNode(seen, {...wanted, port: undefined})).toMatchObject({actions: [], problems: []})
  expect(planNode(seen, {...wanted, env: {}}).actions.map((it) => it.title)).toEqual([
    'write the service',
    'start Ollama',
  ])

  expect(mac.run(CONTROL, ['stop', 'user'])).toBe('keeper=launchd\n')
  expect(mac.run('ls "$FAKE/jobs"')).toBe('')
  expect(mac.run(CONTROL, ['start', 'user'])).toBe('keeper=launchd\n')
  expect(mac.run('ls "$FAKE/jobs"')).toContain('dev.ollamax.ollama')
  expect(mac.run(CONTROL, ['restart', 'user'])).toBe('keeper=launchd\n')
  expect(mac.calls()).toContain('kickstart -k gui/501/dev.ollamax.ollama')
  writeFileSync(join(root, 'ollama.log'), 'one\ntwo\n')
  expect(mac.run(LOGS, ['user', '1', '', '0'])).toBe('keeper=launchd\ntwo\n')

  mac.mark('log', 'level=ERROR msg="out of luck"\n')
  const vitals = () => readVitals(mac.run(VITALS, ['user']))
  expect(vitals()).toMatchObject({keeper: 'launchd', unit: {ActiveState: 'active'}})
  expect(vitals()?.errors).toEqual(['level=ERROR msg="out of luck"'])
  mac.run(CONTROL, ['stop', 'user'])
  expect(vitals()).toMatchObject({keeper: 'launchd', unit: {ActiveState: 'inactive'}})

  const removal = planRemoval(look({ollama: answering}), {keepModels: false})
  expect(removal.left.join()).toContain('.ollama')
  apply(removal.actions)
  expect(mac.run('ls "$FAKE/jobs"')).toBe('')
  expect(readdirSync(mac.home, {recursive: true}).map(String)).toEqual(['Library'])
  expect(planRemoval(look(), {keepModels: false}).actions).toEqual([])
  expect(mac.code(CONTROL, ['start', 'user'])).toBe(78)
})

/** A service of the machine below a directory of ours; the scripts are told where. */
function daemon() {
  const root = join(mac.home, 'opt')
  const plist = join(mac.home, 'd.plist')
  mkdirSync(join(root, '.ollamax'), {recursive: true})
  const service = {port: 1, env: {}, user: 'ann', home: mac.home}
  writeFileSync(plist, plistText({...layoutFor('system', mac.home), root}, service))
  writeFileSync(join(root, '.ollamax/pending'), '')
  const me = process.getuid?.() ?? 0
  return {root, plist, start: [root, plist, '--system', `${me}`]}
}

test('a daemon can be started twice, comes back after a kill, starts at boot, and can be taken away', () => {
  const {root, plist, start} = daemon()
  mac.run(START_LAUNCHD, start)
  expect(existsSync(join(root, '.ollamax/pending'))).toBe(false)
  expect(existsSync(join(root, 'ollama.log'))).toBe(true)
  mac.run(START_LAUNCHD, start)
  expect(mac.calls()).toContain('bootout system/dev.ollamax.ollama')
  mac.run(KILL_LAUNCHD, ['--system'])
  writeFileSync(join(root, 'ollama.log'), 'Error: out of luck\n')
  const why = mac.run(WHY_DOWN_LAUNCHD, ['--system', root])
  expect(why).toContain('state = running')
  expect(why).toContain('out of luck')
  expect(mac.run(AT_BOOT_LAUNCHD, ['--system', plist])).toBe('boot=1\n')
  expect(mac.run(AT_BOOT_LAUNCHD, ['--user', plist])).toBe('')
  mac.mark('disabled', '\t"dev.ollamax.ollama" => disabled\n')
  expect(mac.run(AT_BOOT_LAUNCHD, ['--system', plist])).toBe('')
  mac.run(TAKE_LAUNCHD, [plist, '--system'])
  expect(existsSync(plist)).toBe(false)
  expect(mac.code(KILL_LAUNCHD, ['--system'])).toBe(1)
})

test('an account that nobody is logged in to gets its agent in the background', () => {
  const {root, plist} = daemon()
  mac.mark('no-gui')
  mac.run(START_LAUNCHD, [root, plist, '--user', 'ann'])
  expect(mac.run('ls "$FAKE/jobs"')).toBe('user_501_dev.ollamax.ollama\n')
})

test('launchd that takes no service is an error with what it said', () => {
  const {start} = daemon()
  mac.mark('no-system')
  expect(() => mac.run(START_LAUNCHD, start)).toThrow(/could not load .*Domain does not support/)
})

test('a new agent is killed to see that it comes back, and is not said to survive a reboot', async () => {
  const {root, plist} = daemon()
  mac.run(START_LAUNCHD, [root, plist, '--user', 'ann'])
  const ollama = await startFakeOllama({version: '0.33.0', models: [{name: 'tiny'}]})
  const no = () => Promise.reject(new Error('not wanted here'))
  const remote: Remote = {
    target: 'ann@mini',
    hostKey: '',
    certified: false,
    exec: async (script, options) => ({
      code: 0,
      stdout: mac.run(script, options?.args),
      stderr: '',
    }),
    forward: async () => {
      const socket = connect(Number(new URL(ollama.url).port), '127.0.0.1')
      await once(socket, 'connect')
      return socket
    },
    put: no,
    shell: no,
    close: async () => {},
  }
  try {
    const facts = bareMac({sudo: 'denied', home: mac.home})
    const plan = planNode(facts, wanted)
    const {signal} = new AbortController()
    const options = {plan, facts, subject: 'mini', report: () => {}, signal}
    expect(await verify(remote, options)).toMatchObject({
      version: '0.33.0',
      survivesKill: true,
      survivesReboot: false,
      inference: {model: 'tiny:latest'},
    })
    expect(mac.run('wc -l <"$FAKE/pids"').trim()).toBe('2')
  } finally {
    await ollama.close()
  }
})

const bareMac = (change: Partial<Facts> = {}) =>
  bareHost({os: 'darwin', init: {kind: 'launchd'}, arch: 'arm64', user: 'ann', ...change})
const source = {kind: 'carry', artifact: goodArtifact({os: 'darwin', arch: 'any'})} as const
const wanted: WantedNode = {install: true, userMode: false, env: {}, source}

test('with root it becomes a daemon that needs no login, and no account is created', () => {
  const plan = planNode(bareMac(), wanted)
  expect(plan).toMatchObject({install: 'system', keeper: 'launchd', problems: []})
  expect(plan.actions.map((it) => it.title)).not.toContain('create the user ollama')
  expect(plan.warnings.join()).not.toContain('logged in')
  const plist = plan.actions.find((it) => it.title === 'write the service')?.args.join() ?? ''
  expect(plist).toContain('/Library/LaunchDaemons/dev.ollamax.ollama.plist')
  expect(plist).toContain('<key>OLLAMA_HOST</key><string>127.0.0.1:11434</string>')
  expect(plist).toContain('<key>OLLAMA_NO_CLOUD</key><string>1</string>')
})

test("Ollama.app or Homebrew's that answers is used as it is; one that is silent is warned of", () => {
  const brew = {binary: '/opt/homebrew/Cellar/ollama/0.30.0/bin/ollama', installedBy: 'package'}
  const there = {...answering, ...brew} as Facts['ollama']
  expect(planNode(bareMac({ollama: there}), wanted)).toMatchObject({
    install: 'external',
    actions: [],
    problems: [],
  })
  const {answers: _, ...silent} = there
  expect(planNode(bareMac({ollama: silent}), wanted).warnings.join()).toContain('the same port')
})

test('an archive for another system or processor is refused before it is carried', () => {
  const linux = {kind: 'carry', artifact: goodArtifact()} as const
  const texts = planNode(bareMac(), {...wanted, source: linux}).problems.map((it) => it.text)
  expect(texts.join()).toContain('is for linux')
  expect(texts.join()).toContain('is for amd64')
})

test('removal of a daemon leaves the account and its models alone, also without its plist', () => {
  const facts = bareMac({
    system: {
      trees: [],
      pending: false,
      manifest: {plist: 'created', link: '/usr/local/bin/ollama'},
    },
  })
  const removal = planRemoval(facts, {keepModels: false})
  expect(removal.actions.map((it) => it.title)).toEqual([
    'stop and remove the service',
    'remove the programs',
    'remove what was staged',
    'remove the record of it',
  ])
  expect(removal.left.join()).toContain('/home/ops/.ollama')
})
