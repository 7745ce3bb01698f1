import {expect, test} from 'vitest'
import type {SshNode} from '../../../src/lib/cluster/node.ts'
import type {Reading} from '../../../src/lib/cluster/reading.ts'
import {diagnoseHost, type Examined} from '../../../src/lib/jobs/doctor/diagnose-host.ts'
import {isOrphan, readVitals} from '../../../src/lib/jobs/doctor/read-vitals.ts'
import type {Facts} from '../../../src/lib/provision/facts.ts'
import type {Plan} from '../../../src/lib/provision/plan-value.ts'

const NODE: SshNode = {
  kind: 'ssh',
  name: 'gpu-1',
  ssh: 'ops@gpu-1',
  install: 'system',
  labels: {},
  drained: false,
  ollama: {version: '0.33.0'},
}
const UP: Reading = {
  kind: 'up',
  node: 'gpu-1',
  atMs: 0,
  latencyMs: 1,
  version: '0.33.0',
  models: [],
  loaded: [],
}
const DOWN: Reading = {kind: 'down', node: 'gpu-1', atMs: 0, code: 'TIMEOUT', message: 'no answer'}
const PLAN = {
  install: 'system',
  keeper: 'systemd',
  port: 11_434,
  fresh: false,
  actions: [],
  problems: [],
  warnings: [],
} as const satisfies Plan
const INSTALLATION = {trees: [], manifest: {}, pending: false}
const FACTS: Facts = {
  os: 'linux',
  kernel: '6.1',
  arch: 'amd64',
  hostname: 'gpu-1',
  distribution: 'unknown',
  libc: 'unknown',
  init: {kind: 'systemd', version: 252, state: 'running'},
  user: 'ops',
  uid: 1000,
  home: '/home/ops',
  sudo: 'passwordless',
  gpus: [],
  memoryBytes: 64 * 2 ** 30,
  cpus: 8,
  places: {models: {freeBytes: 2 ** 40, readOnly: false, noExec: false}},
  tools: [],
  modelsPath: 'unknown',
  ollama: {version: '0.33.0', answers: '0.33.0', containers: []},
  port: 11_434,
  system: INSTALLATION,
  own: INSTALLATION,
  userManager: true,
  linger: true,
  mayLinger: true,
  cron: true,
  ollamaUser: true,
  reachesReleases: 'unknown',
  clock: {skewMs: 0, accuracyMs: 10},
}
const HEALTHY = `scope=--system
unit.ActiveState=active
unit.SubState=running
unit.NRestarts=0
journal_read=1
available=60000000
end=1
`
const gpu = (driver: string) =>
  [{vendor: 'nvidia', name: 'A100', vramBytes: 80 * 2 ** 30, driver}] as const

type Change = Partial<Examined> & {readonly said?: string}

/** The findings when the host is healthy but for this. */
function diagnose(change: Change = {}) {
  const {said = HEALTHY, ...rest} = change
  const seen = {
    node: NODE,
    facts: FACTS,
    plan: PLAN,
    reading: UP,
    vitals: readVitals(said),
    ...rest,
  }
  return diagnoseHost(seen)
}
const findings = (change?: Change) =>
  diagnose(change).map(({severity, check}) => `${severity} ${check}`)

test('a healthy host has no findings', () => {
  expect(findings()).toEqual([])
})

const CASES: ReadonlyArray<readonly [string, Change, readonly string[]]> = [
  ['failed unit', {said: HEALTHY.replace('=active', '=failed')}, ['error unit']],
  ['many restarts', {said: HEALTHY.replace('NRestarts=0', 'NRestarts=9')}, ['warning restarts']],
  [
    'no answer there',
    {reading: DOWN, facts: {...FACTS, ollama: {version: 'unknown', containers: []}}},
    ['error port'],
  ],
  ['no answer through the tunnel', {reading: DOWN}, ['error port']],
  ['another version', {reading: {...UP, version: '0.32.0'}}, ['warning version']],
  ['an error in the log', {said: `journal=level=ERROR x\n${HEALTHY}`}, ['warning journal']],
  ['a log that may not be read', {said: HEALTHY.replace('journal_read=1\n', '')}, ['info journal']],
  [
    'killed for memory',
    {said: `kernel=Out of memory: Killed process 1 (ollama)\n${HEALTHY}`},
    ['error kernel'],
  ],
  ['short memory', {said: HEALTHY.replace('60000000', '1000')}, ['warning memory']],
  [
    'a full disk',
    {facts: {...FACTS, places: {models: {freeBytes: 1, readOnly: false, noExec: false}}}},
    ['error disk'],
  ],
  ['an orphan', {said: `runner=77 1 systemd 1000\n${HEALTHY}`}, ['error orphans']],
  ['a runner with its server', {said: `runner=77 70 ollama 1000\n${HEALTHY}`}, []],
  [
    'a GPU that nobody uses',
    {facts: {...FACTS, gpus: gpu('550')}, said: `compute=x library=cpu y\n${HEALTHY}`},
    ['error gpu'],
  ],
  [
    'a GPU with a model on the CPU',
    {
      facts: {...FACTS, gpus: gpu('550')},
      reading: {
        ...UP,
        loaded: [{name: 'm', digest: '', sizeBytes: 9, vramBytes: 0, expiresAt: ''}],
      },
    },
    ['error gpu'],
  ],
  [
    'a GPU without a driver is the plan’s to tell',
    {facts: {...FACTS, gpus: gpu('none')}, said: `compute=x library=cpu y\n${HEALTHY}`},
    [],
  ],
  [
    'a GPU in use',
    {facts: {...FACTS, gpus: gpu('550')}, said: `compute=x library=cuda y\n${HEALTHY}`},
    [],
  ],
  ['an output that broke off', {said: 'scope=--system\n'}, ['warning vitals']],
  ['a plan with a problem', {plan: {...PLAN, problems: [{text: 'x', next: 'y'}]}}, ['error fit']],
  [
    'a plan with warnings',
    {
      plan: {
        ...PLAN,
        warnings: ['its clock is off by 60 s', 'only 3 MiB are free where models lie'],
      },
    },
    ['warning clock', 'warning disk'],
  ],
]

test.each(CASES)('%s', (_, change, found) => {
  expect(findings(change)).toEqual(found)
})

test('every finding says what to do next, also those of the plan', () => {
  const texts = [
    'A100: its driver is not installed, so the CPU will do the work',
    'port 11434 listens on 0.0.0.0: whoever reaches the machine can use it, without a password',
    'there is neither systemd for the account nor cron: Ollama will not come back after a reboot; run node start then',
    'something that nobody has thought of',
  ]
  const changes = [...CASES.map(([, change]) => change), {plan: {...PLAN, warnings: texts}}]
  const all = changes.flatMap((change) => diagnose(change))
  expect(all.length).toBeGreaterThan(20)
  expect(all.filter(({next}) => !next)).toEqual([])
})

test('the worst comes first', () => {
  const said = `runner=77 1 init 5\njournal=level=ERROR x\n${HEALTHY.replace('journal_read=1\n', '')}`
  expect(findings({said})).toEqual(['error orphans', 'warning journal', 'info journal'])
})

test('a line of garbage is no runner', () => {
  expect(readVitals('runner=x y z\nrunner=\nrunner=0 1 a 3\nend=1')?.runners).toEqual([])
  expect(isOrphan({pid: 5, parent: 900, parentName: 'systemd', residentBytes: 0})).toBe(true)
})
