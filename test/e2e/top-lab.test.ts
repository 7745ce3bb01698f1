import {join} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import {ollamax, type Pane, RESTORED, startPane} from '../support/tmux.ts'

const test = needs(...LAB_NEEDS, 'tmux')
let lab: Lab
let artifact: Artifact
let pane: Pane | undefined

// One story, told in order, on a real host with systemd and sshd.
beforeAll(async () => {
  ;[lab, artifact] = await Promise.all([startLab({hosts: 1}), makeArtifact()])
  const add = ['node', 'add', 'h1', '--artifact', artifact.file, '--accept-host-key', '--yes']
  const added = await lab.cli(add)
  expect(added.code, added.stderr).toBe(0)
  const env = {...lab.home.env, OLLAMAX_SSH_CONFIG: join(lab.dir, 'ssh_config')}
  pane = startPane(lab.inside(ollamax('top', '--view', 'nodes')), {env, columns: 160})
})
afterAll(async () => {
  pane?.close()
  artifact?.dispose()
  await lab?.close()
})

function screen(): Pane {
  if (!pane) throw new Error('top was not started')
  return pane
}

test('a node behind SSH shows how its machine is: CPU, memory and disk', async () => {
  await screen().sees(/nodes directly/, 30_000)
  await screen().sees(/> h1 +up .* \d+% +\d+% +\d+%/, 60_000)
})

test('d drains it, and the cluster file knows', async () => {
  screen().press('d')
  await screen().sees('Drain h1? No new request goes there. y/N')
  screen().press('y')
  await screen().sees(/> h1 +up,drained/, 30_000)
  const listed = await lab.cli(['node', 'list', '--json'])
  expect(JSON.parse(listed.stdout).nodes).toMatchObject([{name: 'h1', drained: true}])
  screen().press('u')
  await screen().sees(/> h1 +up /, 30_000)
})

test('l follows the journal of its Ollama, esc leads back', async () => {
  screen().press('l')
  await screen().sees('> logs h1')
  await screen().sees('following')
  // Written by the service itself, through the journal.
  await screen().sees(/ollama/, 30_000)
  screen().press('Escape')
  await screen().sees(/> h1 +up/)
})

test('s gives the terminal to a shell there, whose end leads back', async () => {
  screen().press('s')
  await screen().sees(/[$#] *$/, 30_000)
  screen().type('echo here-is-$(hostname)')
  screen().press('Enter')
  await screen().sees('here-is-h1')
  screen().type('exit')
  screen().press('Enter')
  await screen().sees(/back from h1/, 30_000)
  screen().press('j')
  await screen().sees(/> h1 +up/)
})

test('r restarts its Ollama if the answer is yes, and q gives the terminal back', async () => {
  screen().press('r')
  await screen().sees('Restart Ollama on h1?')
  screen().press('y')
  await screen().sees(/h1 answers again/, 60_000)
  screen().press('q')
  expect(await screen().ended()).toBe(0)
  expect(screen().terminal()).toEqual(RESTORED)
})
