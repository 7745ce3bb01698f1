import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {clusterHome} from '../../support/cluster-home.ts'
import {runCli} from '../../support/run-cli.ts'
import type {TempHome} from '../../support/temp-home.ts'

let home: TempHome
beforeEach(() => {
  home = clusterHome([])
})
afterEach(() => home.dispose())

const cli = (...args: string[]) => runCli(args, {env: home.env})
const rows = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t').slice(0, 4))
function file(name: string, text: string): string {
  const path = join(home.dir, name)
  writeFileSync(path, text)
  return path
}
const cluster = () => readFileSync(join(home.dir, 'ollamax/clusters/default.yaml'), 'utf8')

test('the hosts of an ssh_config that fit, also of the files that it includes, become nodes', async () => {
  const more = file('more', 'Host gpu-3 gpu-*\n  User x\n')
  const config = file(
    'config',
    `Include ${more}\nHost gpu-1 gpu-2\n  User ubuntu\nHost other\nHost *\n`,
  )
  const dry = await cli('node', 'import', config, '--host', 'gpu-*', '--dry-run')
  expect(rows(dry.stdout)).toEqual([
    ['gpu-3', 'gpu-3', 'planned', '-'],
    ['gpu-1', 'gpu-1', 'planned', '-'],
    ['gpu-2', 'gpu-2', 'planned', '-'],
  ])
  expect(cluster()).not.toContain('gpu')
  const env = {...home.env, OLLAMAX_SSH_CONFIG: config}
  const done = await runCli(['node', 'import', '--host', 'gpu-*', '--label', 'tier=fast'], {env})
  expect(done.code, done.stderr).toBe(0)
  const {nodes} = JSON.parse((await cli('node', 'list', '--json')).stdout)
  expect(
    nodes.map(({name, target, labels}: Record<string, unknown>) => [name, target, labels]),
  ).toEqual(['gpu-1', 'gpu-2', 'gpu-3'].map((name) => [name, name, {tier: 'fast'}]))
})

test('what is there, twice or wrong is told row by row, and the rest is added', async () => {
  const csv = file(
    'machines.csv',
    'name,ssh,labels\na,ops@a,x=1\nb,ops@b,\nb2,ops@b,\na,ops@other,\nbad name,ops@c,\nd,ops@d,k=$\n',
  )
  expect((await cli('node', 'import', file('one.csv', 'name,ssh\nold,ops@b\n'))).code).toBe(0)
  const done = await cli('node', 'import', csv)
  expect(done.code).toBe(1)
  expect(rows(done.stdout)).toEqual([
    ['a', 'ops@a', 'added', 'x=1'],
    ['b', 'ops@b', 'there', '-'],
    ['b2', 'ops@b', 'there', '-'],
    ['a', 'ops@other', 'refused', '-'],
    ['bad name', 'ops@c', 'refused', '-'],
    ['d', 'ops@d', 'refused', 'k=$'],
  ])
  expect(done.stderr).toContain('the inventory has another machine of that name')
  const {nodes} = JSON.parse((await cli('node', 'list', '--json')).stdout)
  expect(nodes.map(({name}: {name: string}) => name)).toEqual(['a', 'old'])
})

test.each([
  ['hosts.ini', '[gpu]\nh[1:2]\n'],
  ['hosts.yml', 'gpu:\n  hosts:\n    h[1:2]:\n'],
  ['hosts', '[gpu]\nh[1:2]\n'],
  ['inventory', '---\ngpu:\n  hosts:\n    h1:\n    h2:\n'],
])('%s is seen to be an Ansible inventory', async (name, text) => {
  const {code, stdout} = await cli('node', 'import', file(name, text))
  expect([code, rows(stdout)]).toEqual([
    0,
    [
      ['h1', 'h1', 'added', 'gpu=true'],
      ['h2', 'h2', 'added', 'gpu=true'],
    ],
  ])
})

test('what cannot be read is an error in words, and changes nothing', async () => {
  const before = cluster()
  for (const [path, code, words] of [
    [join(home.dir, 'none'), 1, 'cannot read'],
    [file('x.yml', 'a: [\n'), 2, 'no YAML'],
    [file('y.ini', '[g]\nh[2:1]\n'), 2, 'line 2'],
    [file('z.csv', 'ssh\n'), 3, 'names no machine'],
  ] as const) {
    const got = await cli('node', 'import', path)
    expect([path, got.code, got.stderr]).toEqual([path, code, expect.stringContaining(words)])
  }
  expect(cluster()).toBe(before)
})
