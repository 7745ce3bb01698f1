import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {runCli} from '../support/run-cli.ts'
import {type Sshd, startSshd} from '../support/sshd.ts'

let sshd: Sshd
let env: Record<string, string>
beforeEach(async () => {
  sshd = await startSshd()
  env = {...(sshd.env as Record<string, string>), OLLAMAX_HOME: join(sshd.dir, 'ollamax')}
  const clusters = join(sshd.dir, 'ollamax/clusters')
  mkdirSync(clusters, {recursive: true})
  const nodes = ['n1', 'n2'].map(
    (name) => `  - {name: ${name}, ssh: "${sshd.target}", hostKey: "${sshd.fingerprint()}"}\n`,
  )
  const head = 'apiVersion: ollamax/v1\nkind: Cluster\nnodes:\n'
  writeFileSync(join(clusters, 'default.yaml'), `${head}${nodes.join('')}`)
})
afterEach(() => sshd.stop())

const cli = (...args: string[]) => runCli(args, {env})
const audit = async (...args: string[]) =>
  JSON.parse((await cli('audit', '--json', ...args)).stdout).changes

test('what users run on nodes is on record with its exit code, and without its secrets', async () => {
  const none = await cli('audit')
  expect([none.code, none.stdout, none.stderr]).toEqual([
    0,
    '',
    'nothing of that kind is on record\n',
  ])
  await cli('node', 'exec', 'n1', '--', 'true')
  await cli('node', 'exec', 'n2', '--', 'env', 'API_TOKEN=abcdef', 'false')
  expect(await audit()).toMatchObject([
    {node: 'n1', by: 'node exec', what: 'exec: true', exit: 0, host: sshd.target},
    {node: 'n2', by: 'node exec', what: 'exec: env API_TOKEN=*** false', exit: 1},
  ])
  const lines = (await cli('audit')).stdout.trimEnd().split('\n')
  expect(lines.map((line) => line.split('\t').slice(2, 6))).toEqual([
    ['node exec', 'n1', 'exec: true', '0'],
    ['node exec', 'n2', 'exec: env API_TOKEN=*** false', '1'],
  ])
})

test('audit chooses by node, failure, age, cluster and number', async () => {
  for (const [name, line] of [
    ['n1', 'exit 0'],
    ['n2', 'exit 4'],
    ['n1', 'exit 5'],
  ] as const)
    await cli('node', 'exec', name, '--', line)
  const whats = async (...args: string[]) =>
    (await audit(...args)).map(({what}: {what: string}) => what.replace('exec: exit ', ''))
  expect(await whats('n1')).toEqual(['0', '5'])
  expect(await whats('n*', '--failed')).toEqual(['4', '5'])
  expect(await whats('--limit', '1')).toEqual(['5'])
  expect(await whats('--since', '1h')).toEqual(['0', '4', '5'])
  expect(await whats('--cluster', 'other')).toEqual([])
  expect(await whats('--cluster', 'other', '--all-clusters')).toEqual(['0', '4', '5'])
})
