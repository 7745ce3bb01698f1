import {join} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import {waitFor} from '../support/wait-for.ts'

// `serve --install` under a systemd that runs: the program lies on the host, which has an Ollama of its own.

const test = needs(...LAB_NEEDS)
const ROOT = join(import.meta.dirname, '../..')
const PROGRAM = '/opt/ollamax'
const REGISTRY = '--registry --registry-cache /var/cache/ollamax'
let lab: Lab
let artifact: Artifact

beforeAll(async () => {
  ;[lab, artifact] = await Promise.all([startLab({hosts: 1}), makeArtifact()])
  const add = ['node', 'add', 'h1', '--artifact', artifact.file, '--accept-host-key', '--yes']
  const added = await lab.cli(add)
  expect(added.code, added.stderr).toBe(0)
  const parts = 'bin dist package.json oclif.manifest.json node_modules/node/bin/node'
  const carried = await lab.tool([
    'sh',
    '-c',
    `tar -C ${ROOT} -cf - ${parts} | ssh -F ${lab.dir}/ssh_config h1 'sudo mkdir ${PROGRAM} && sudo tar -xf - -C ${PROGRAM}'`,
  ])
  expect(carried.code, carried.stderr).toBe(0)
  for (const user of ['ops', 'joe']) {
    const node = await on(user, 'ollamax node add http://127.0.0.1:11434 --name here')
    expect(node.code, node.stderr).toBe(0)
  }
})
afterAll(async () => {
  artifact?.dispose()
  await lab?.close()
})

/** A command line with `ollamax` in it, as that account on the host, with a session of its own as a login has it. */
async function on(user: string, line: string) {
  const run = `${PROGRAM}/node_modules/node/bin/node ${PROGRAM}/bin/run.js`
  const ways = `ollamax() { ${run} "$@"; }; as_root() { sudo ${run} "$@"; }`
  return lab.tool(['ssh', '-F', `${lab.dir}/ssh_config`, '-l', user, 'h1', `${ways}; ${line}`])
}

/** What the gateway on that port says of its nodes; undefined: there is none. */
async function nodesOf(port: number) {
  const {stdout} = await lab.tool([
    ...['ssh', '-F', `${lab.dir}/ssh_config`, 'h1'],
    `curl -sS http://127.0.0.1:${port}/metrics | grep ^ollamax_node_up`,
  ])
  return stdout.trim() || undefined
}
const up = (port: number) => async () => (await nodesOf(port)) === 'ollamax_node_up{node="here"} 1'
const WITHIN = {timeoutMs: 30_000}

test("as the machine's service it runs as the account that called sudo, and comes back after kill -9", async () => {
  const installed = await on('ops', `as_root serve --install --yes ${REGISTRY}`)
  expect(installed.code, installed.stderr).toBe(0)
  expect(installed.stdout).toContain('answers at http://127.0.0.1:11435')
  await waitFor('the gateway', up(11435), WITHIN)
  const unit = 'systemctl show ollamax -p MainPID --value'
  const first = (await lab.exec(1, unit)).trim()
  expect((await lab.exec(1, `ps -o user= -p ${first}`)).trim()).toBe('ops')
  await lab.exec(1, `kill -9 ${first}`)
  await waitFor('another process', async () => {
    const pid = (await lab.exec(1, unit)).trim()
    return pid !== first && pid !== '0'
  })
  await waitFor('the gateway again', up(11435), WITHIN)
})

test('its registry answers, and keeps what it fetches where it was told to', async () => {
  const curl = "curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1:11435/v2/"
  expect((await lab.exec(1, curl)).trim()).toBe('200')
  expect((await lab.exec(1, 'stat -c "%U %a" /var/cache/ollamax')).trim()).toBe('ops 700')
})

test('as it is wanted already, nothing is done', async () => {
  const again = await on('ops', `as_root serve --install --yes --json ${REGISTRY}`)
  expect(again.code, again.stderr).toBe(0)
  expect(JSON.parse(again.stdout)).toMatchObject({steps: [], scope: 'system'})
})

test("as an account's service it needs no root, and says that it ends with the login", async () => {
  const taken = await on('joe', 'ollamax serve --install --yes')
  expect([taken.code, taken.stderr]).toEqual([2, expect.stringContaining('listens on')])
  const installed = await on('joe', 'ollamax serve --install --yes --listen 127.0.0.1:11436')
  expect(installed.code, installed.stderr).toBe(0)
  expect(installed.stderr).toContain('loginctl enable-linger joe')
  await lab.exec(1, 'loginctl enable-linger joe')
  await waitFor('the gateway', up(11436), WITHIN)
})

test('after a reboot both are back', async () => {
  await lab.power.reboot(1)
  await waitFor("the machine's gateway", up(11435), WITHIN)
  await waitFor("the account's gateway", up(11436), WITHIN)
})

test('uninstalled, nothing of either is left', async () => {
  for (const line of ['as_root serve --uninstall --yes', 'ollamax serve --uninstall --yes']) {
    const user = line.startsWith('as_root') ? 'ops' : 'joe'
    const removed = await on(user, line)
    expect(removed.code, removed.stderr).toBe(0)
  }
  expect([await nodesOf(11435), await nodesOf(11436)]).toEqual([undefined, undefined])
  const left = await lab.exec(1, 'find /etc/systemd /home/joe/.config/systemd -name "ollamax*"')
  expect(left).toBe('')
})
