import {expect, test} from 'vitest'
import type {Facts, Installation} from '../../../src/lib/provision/facts.ts'
import {dropInText, layoutFor, unitText} from '../../../src/lib/provision/layout.ts'
import {planNode} from '../../../src/lib/provision/plan.ts'
import type {Plan, WantedNode} from '../../../src/lib/provision/plan-value.ts'
import {bareHost, goodArtifact, ROOMY, runningUnit} from '../../support/facts.ts'

const artifact = goodArtifact()
const source = {kind: 'carry', artifact} as const
const wanted: WantedNode = {install: true, userMode: false, env: {}, source}
const layout = layoutFor('system', '/home/ops')
const titles = (plan: Plan) => plan.actions.map((action) => action.title)
const problems = (plan: Plan) => plan.problems.map((problem) => problem.text).join('\n')

/** A host after a complete run of `wanted`. */
function installed(change: Partial<Installation> = {}): Facts {
  return bareHost({
    ollamaUser: true,
    ollama: {version: '0.33.0', answers: '0.33.0', containers: []},
    system: runningUnit({
      unitText: unitText(layout),
      dropInText: dropInText(layout, {port: 11434, env: {}, program: false}),
      current: '0.33.0',
      trees: [{name: '0.33.0', sha256: artifact.sha256, version: '0.33.0'}],
      ...change,
    }),
  })
}

/** An Ollama of the official script. */
const official = (change: Partial<Facts> = {}) =>
  bareHost({
    ollamaUser: true,
    ollama: {version: '0.30.0', answers: '0.30.0', containers: []},
    system: runningUnit({unitText: '[Unit]\nDescription=Ollama Service\n'}),
    ...change,
  })

test('a bare host gets everything, in an order in which each step finds what it needs', () => {
  const plan = planNode(bareHost(), wanted)
  expect(plan).toMatchObject({install: 'system', keeper: 'systemd', fresh: true, problems: []})
  expect(titles(plan)).toEqual([
    'carry the archive over',
    'unpack sha256-aaaaaaaaaaaa',
    'create the user ollama',
    'switch to sha256-aaaaaaaaaaaa',
    'write the service',
    'write the drop-in',
    'start Ollama',
  ])
})

test('a host that is as it is wanted has an empty plan, with and without the archive', () => {
  expect(planNode(installed(), wanted)).toMatchObject({actions: [], problems: [], fresh: false})
  expect(planNode(installed(), {...wanted, source: undefined}).actions).toEqual([])
  const recorded = {...wanted, source: undefined, version: '0.33.0'}
  expect(planNode(installed(), recorded).actions).toEqual([])
})

test.each<[string, Partial<Installation>, string[]]>([
  ['the drop-in was edited', {dropInText: 'x'}, ['write the drop-in', 'start Ollama']],
  [
    'the unit was edited by hand below our mark',
    {unitText: `${unitText(layout)}x`},
    ['write the service', 'start Ollama'],
  ],
  ['a run was aborted before the restart', {pending: true}, ['start Ollama']],
  ['another version is switched on', {current: '0.1.0'}, ['switch to 0.33.0', 'start Ollama']],
])('only what differs is done: %s', (_, change, steps) => {
  expect(titles(planNode(installed(change), wanted))).toEqual(steps)
})

test('a service that is down, disabled or stale is started', () => {
  const {unit} = runningUnit()
  if (!unit) throw new Error('no unit')
  const titlesFor = (facts: Facts) => titles(planNode(facts, wanted))
  expect(titlesFor(installed({unit: {...unit, enabled: false}}))).toEqual(['start Ollama'])
  expect(titlesFor(installed({unit: {...unit, stale: true}}))).toEqual(['start Ollama'])
  const down = installed({unit: {...unit, active: false}})
  const {answers: _, ...silent} = down.ollama
  expect(titlesFor({...down, ollama: silent})).toEqual(['start Ollama'])
  expect(titlesFor({...installed(), ollama: silent})).toEqual(['start Ollama'])
})

test('an archive that is staged already is not carried again', () => {
  expect(titles(planNode(bareHost({staged: 5}), wanted))[0]).toBe('unpack sha256-aaaaaaaaaaaa')
})

test('an Ollama of others is adopted by a drop-in alone, and keeps its program', () => {
  const plan = planNode(official(), {...wanted, source: undefined})
  expect(titles(plan)).toEqual(['write the drop-in', 'start Ollama'])
  expect(plan).toMatchObject({install: 'system', fresh: false})
  expect(plan.actions[0]?.args.join()).not.toContain('ExecStart')
})

test('taking over a service of others is said once, so that it can be asked about', () => {
  const plan = planNode(official(), {...wanted, source: undefined})
  expect(plan.takesOver).toContain('someone else')
  expect(planNode(bareHost(), wanted).takesOver).toBeUndefined()
  expect(planNode(installed(), {...wanted, port: 11_500}).takesOver).toBeUndefined()
})

test('another version that is asked for replaces its program, not its unit', () => {
  const plan = planNode(official(), {...wanted, version: '0.33.0'})
  expect(titles(plan)).not.toContain('write the service')
  expect(titles(plan)).toContain('switch to 0.33.0')
  const dropIn = plan.actions.find((action) => action.title === 'write the drop-in')
  expect(dropIn?.args.join()).toContain('ExecStart=/opt/ollama/current/bin/ollama serve')
})

test('without a source, a program that is needed is named as missing', () => {
  expect(planNode(bareHost(), {...wanted, source: undefined}).missing).toEqual({})
  const version = {...wanted, source: undefined, version: '9.9.9'}
  expect(planNode(official(), version).missing).toEqual({version: '9.9.9'})
})

test('an earlier version that is still there is switched to without any archive', () => {
  const trees = [
    {name: '0.33.0', sha256: 'x', version: '0.33.0'},
    {name: 'sha256-1', sha256: 'y', version: '0.32.0'},
  ]
  const plan = planNode(installed({trees}), {...wanted, source: undefined, version: '0.32.0'})
  expect(titles(plan)).toEqual(['switch to sha256-1', 'start Ollama'])
})

test('a tree that is called by a version and runs another one is not that version', () => {
  const misnamed = {
    current: '0.34.0',
    trees: [{name: '0.34.0', sha256: artifact.sha256, version: '0.34.0'}],
  }
  const asked = {...wanted, source: undefined, version: '0.34.0'}
  expect(planNode(installed(misnamed), asked).missing).toEqual({version: '0.34.0'})
  const facts = installed(misnamed)
  // Until it was started anew, what answers still runs from another tree.
  const pending = {...facts, system: {...facts.system, pending: true}}
  expect(titles(planNode(pending, asked))).toEqual(['start Ollama'])
})

test('another archive of a version that is there gets a place of its own', () => {
  const trees = [{name: '0.33.0', sha256: 'other', version: '0.33.0'}]
  const plan = planNode(installed({trees}), {...wanted, version: '0.33.0'})
  expect(titles(plan)).toContain('switch to 0.33.0+aaaaaaaa')
})

test('without root it installs below the account, lingering only where it may', () => {
  const joe = bareHost({sudo: 'denied', user: 'joe', home: '/home/joe'})
  const supervised = planNode(joe, wanted)
  expect(supervised).toMatchObject({install: 'user', keeper: 'supervised'})
  expect(supervised.actions.some((action) => action.root)).toBe(false)
  expect(supervised.warnings.join()).toContain('will not come back after a reboot')
  const lingering = planNode({...joe, mayLinger: true}, wanted)
  expect(lingering.keeper).toBe('systemd')
  expect(titles(lingering)).toContain('let the account keep services without a login')
})

test('an Ollama outside systemd is used as it is, and never changed', () => {
  const docker = bareHost({ollama: {version: 'unknown', answers: '0.31.0', containers: ['o1']}})
  expect(planNode(docker, {...wanted, source: undefined})).toMatchObject({
    install: 'external',
    actions: [],
    problems: [],
  })
  expect(problems(planNode(docker, {...wanted, version: '0.33.0'}))).toContain(
    'not ours to replace',
  )
  expect(problems(planNode(docker, {...wanted, env: {OLLAMA_DEBUG: '1'}}))).toContain('--env')
})

test('all reasons against a host are told at once', () => {
  const places = {
    ...bareHost().places,
    '/opt': {...ROOMY, readOnly: true, freeBytes: 5},
    '/etc/systemd/system': {...ROOMY, readOnly: true},
  }
  const host = bareHost({places, arch: 'arm64', tools: [], init: {kind: 'other', name: 'init'}})
  const listener = {address: '127.0.0.1', user: 'www'}
  const text = problems(planNode({...host, listener}, wanted))
  for (const part of [
    'read-only',
    'too full',
    'amd64',
    'tar and gzip',
    'systemd',
    'port 11434',
    'www',
  ])
    expect(text).toContain(part)
})

test.each<[string, Partial<Facts>, string]>([
  ['a noexec /opt', {places: {...bareHost().places, '/opt': {...ROOMY, noExec: true}}}, 'noexec'],
  ['another system', {os: 'other'}, 'another system'],
  [
    'a home without room for the archive',
    {places: {...bareHost().places, home: {...ROOMY, freeBytes: 5}}},
    '.cache',
  ],
])('%s is a problem', (_, change, text) => {
  expect(problems(planNode(bareHost(change), wanted))).toContain(text)
})

test('what is only a pity is a warning: no driver, no PATH, a wrong clock, little room', () => {
  const {warnings, problems: none} = planNode(
    bareHost({
      gpus: [{vendor: 'nvidia', name: 'NVIDIA GPU', vramBytes: 'unknown', driver: 'none'}],
      clock: {skewMs: 90_000, accuracyMs: 50},
      places: {
        ...bareHost().places,
        '/usr/local/bin': {...ROOMY, readOnly: true},
        models: {...ROOMY, freeBytes: 5},
      },
    }),
    wanted,
  )
  expect(none).toEqual([])
  for (const part of ['driver', '/usr/local', 'clock', 'where models lie'])
    expect(warnings.join('\n')).toContain(part)
})

test('what goes into a unit file can end neither its line nor its quotes, nor be expanded', () => {
  const text = dropInText(layout, {port: 1, env: {A: 'x" %h \\'}, program: false})
  expect(text).toContain('Environment="A=x\\" %%h \\\\"')
})

test('on macOS launchd keeps it, as the account, and it is said that nobody tried that', () => {
  const mac = bareHost({os: 'darwin', init: {kind: 'launchd'}, arch: 'arm64', user: 'ann'})
  const darwin = goodArtifact({os: 'darwin', arch: 'any'})
  const env = {OLLAMA_X: 'a<b&c'}
  const plan = planNode(mac, {...wanted, env, source: {kind: 'carry', artifact: darwin}})
  expect(plan).toMatchObject({keeper: 'launchd', install: 'system', problems: []})
  expect(titles(plan).slice(-3)).toEqual([
    'switch to sha256-aaaaaaaaaaaa',
    'write the service',
    'start Ollama',
  ])
  const plist = plan.actions.find((action) => action.title === 'write the service')?.args.join()
  for (const part of ['<string>ann</string>', '127.0.0.1:11434', 'a&lt;b&amp;c', 'KeepAlive'])
    expect(plist).toContain(part)
  expect(plan.warnings.join()).toContain('never tried')
})
