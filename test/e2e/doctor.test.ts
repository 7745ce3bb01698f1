import {afterAll, beforeAll, expect} from 'vitest'
import type {Diagnosis, Finding} from '../../src/lib/cluster/finding.ts'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import {waitFor} from '../support/wait-for.ts'

// doctor on real hosts: what is broken there is found with its cause, and --fix mends it.

const test = needs(...LAB_NEEDS)
let lab: Lab
let artifact: Artifact

beforeAll(async () => {
  ;[lab, artifact] = await Promise.all([startLab({hosts: 2}), makeArtifact()])
  const add = ['node', 'add', 'h1', 'h2', '--artifact', artifact.file, '--accept-host-key', '--yes']
  const added = await lab.cli(add)
  expect(added.code, added.stderr).toBe(0)
})
afterAll(async () => {
  artifact?.dispose()
  await lab?.close()
})

/** What doctor finds on the host, and its exit code; with an error the findings are in its details. */
async function doctor(...words: string[]) {
  const {code, stdout} = await lab.cli(['doctor', '--json', ...words])
  const told = JSON.parse(stdout)
  const result = told.error?.details ?? told
  const of = (name: string): readonly Finding[] =>
    result.diagnoses.find((it: Diagnosis) => it.subject === name)?.findings ?? []
  return {code, result, of, error: told.error}
}

const errors = (findings: readonly Finding[]) =>
  findings.filter(({severity}) => severity === 'error').map(({check}) => check)

test('a healthy fleet has no finding that is an error', async () => {
  const {code, of, result} = await doctor()
  expect([of('h1'), of('h2')].map(errors)).toEqual([[], []])
  expect([code, result.errors]).toEqual([0, 0])
  expect(of('h1').filter(({check}) => check === 'drift')).toEqual([])
})

test('a service that is stopped is found, and --fix starts it', async () => {
  await lab.exec(1, 'systemctl stop ollama')
  const {code, of, error} = await doctor('h1')
  expect([code, error.code]).toEqual([1, 'DOCTOR_FINDINGS'])
  expect(errors(of('h1'))).toEqual(['unit', 'port'])
  const fixed = await doctor('h1', '--fix')
  expect([fixed.code, errors(fixed.of('h1'))]).toEqual([0, []])
  expect(fixed.result.fixes).toMatchObject([{subject: 'h1', done: true}])
  expect(await lab.exec(1, 'systemctl is-active ollama')).toBe('active\n')
})

test('a drop-in that was changed by hand is found, and --fix writes it again', async () => {
  const dropIn = '/etc/systemd/system/ollama.service.d/50-ollamax.conf'
  const before = await lab.exec(1, `cat ${dropIn}`)
  await lab.exec(1, `sed -i s/NO_CLOUD=1/NO_CLOUD=0/ ${dropIn}`)
  const {code, of} = await doctor('h1')
  expect(code).toBe(0)
  expect(of('h1').some(({check, text}) => check === 'drift' && /drop-in/.test(text))).toBe(true)
  await doctor('h1', '--fix')
  expect(await lab.exec(1, `cat ${dropIn}`)).toBe(before)
})

test('runners without a server are found, and --fix ends them and no others', async () => {
  await lab.exec(
    1,
    `setsid bash -c 'exec -a /opt/x/llama-server sleep 9999' >/dev/null 2>&1 </dev/null &
     setsid bash -c 'exec -a innocent sleep 8888' >/dev/null 2>&1 </dev/null &`,
  )
  const found = await waitFor('the orphan to be one', async () => {
    const {of} = await doctor('h1')
    return of('h1').find(({check}) => check === 'orphans')
  })
  expect(found).toMatchObject({severity: 'error', fixable: true})
  const fixed = await doctor('h1', '--fix')
  expect(errors(fixed.of('h1'))).toEqual([])
  expect(await lab.exec(1, 'pgrep -f "[l]lama-server 9999" || echo none')).toBe('none\n')
  expect(await lab.exec(1, 'pgrep -fc "[i]nnocent 8888"')).toBe('1\n')
})

test('a host that cannot be reached is a finding with its cause, and the others are still examined', async () => {
  await lab.net.unplug(2)
  try {
    const {code, of} = await doctor()
    expect(code).toBe(1)
    expect(of('h1').length).toBeGreaterThan(0)
    expect(of('h2')).toMatchObject([{severity: 'error', check: 'ssh-unreachable'}])
  } finally {
    await lab.net.plug(2)
  }
})

test('an sshd that forwards no port is told from an Ollama that does not answer', async () => {
  await lab.exec(
    2,
    'echo "AllowTcpForwarding no" >/etc/ssh/sshd_config.d/00-no.conf; systemctl restart ssh',
  )
  try {
    const {of} = await doctor('h2')
    const port = of('h2').find(({check}) => check === 'port')
    expect(port).toMatchObject({
      severity: 'error',
      next: expect.stringContaining('AllowTcpForwarding'),
    })
  } finally {
    await lab.exec(2, 'rm /etc/ssh/sshd_config.d/00-no.conf; systemctl restart ssh')
  }
})
