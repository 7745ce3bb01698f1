import {mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {runCli} from '../../support/run-cli.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
let clusters: string
beforeEach(() => {
  home = tempHome()
  clusters = join(home.dir, 'ollamax/clusters')
})
afterEach(() => home.dispose())

const ollamax = (...args: string[]) => runCli(args, {env: home.env})
const json = async (...args: string[]) =>
  JSON.parse((await ollamax(...args, '--json')).stdout) as Record<string, never>

const LAB = `# my lab
apiVersion: ollamax/v1
kind: Cluster
nodes:
  - name: gpu-1   # loud
    ssh: me@gpu-1
    labels: {tier: fast}
`

test('a cluster is created, chosen, listed, renamed and removed', async () => {
  expect((await ollamax('cluster', 'create', 'lab')).stderr).toContain('ollamax cluster use lab')
  await ollamax('cluster', 'create', 'office', '--use')
  expect((await ollamax('cluster', 'list')).stdout).toBe(
    `lab\t\t0\t${clusters}/lab.yaml\noffice\tcurrent\t0\t${clusters}/office.yaml\n`,
  )
  expect(await json('cluster', 'rename', 'office', 'home')).toMatchObject({
    name: 'home',
    current: true,
  })
  expect(await json('cluster', 'show')).toMatchObject({name: 'home', nodes: []})
  expect((await ollamax('cluster', 'remove', 'lab', '--yes')).stdout).toBe('removed lab\n')
  expect((await ollamax('cluster', 'remove', 'home')).code).toBe(2)
  expect(readdirSync(clusters)).toEqual(['home.yaml'])
  expect((await ollamax('cluster', 'remove', 'home', '--yes')).code).toBe(0)
  expect(await json('cluster', 'list')).toMatchObject({
    clusters: [{name: 'default', current: true}],
  })
  expect(readdirSync(join(home.dir, 'ollamax/cache/clusters'))).toEqual([])
})

test('removing without a terminal and without --yes removes nothing', async () => {
  await ollamax('cluster', 'create', 'lab')
  const {code, stderr} = await ollamax('cluster', 'remove', 'lab')
  expect(code).toBe(2)
  expect(stderr).toContain('CONFIRM_NEEDED')
  expect(stderr).toContain('--yes')
  expect(readdirSync(clusters)).toEqual(['lab.yaml'])
})

test('a cluster is exported and imported letter for letter', async () => {
  const file = join(home.dir, 'lab.yaml')
  writeFileSync(file, LAB)
  expect(await json('cluster', 'import', file)).toMatchObject({name: 'lab', nodes: 1})
  const {stdout} = await ollamax('cluster', 'export', 'lab')
  expect(stdout).toBe(LAB)
  const piped = await runCli(['cluster', 'import', '-', '--name', 'copy'], {
    env: home.env,
    stdin: stdout,
  })
  expect(piped.code).toBe(0)
  expect(readFileSync(join(clusters, 'copy.yaml'), 'utf8')).toBe(LAB)
  const target = join(home.dir, 'out.yaml')
  expect((await ollamax('cluster', 'export', 'lab', '--output', target)).code).toBe(0)
  expect(readFileSync(target, 'utf8')).toBe(LAB)
  expect((await ollamax('cluster', 'export', 'lab', '--output', target)).code).toBe(2)
})

test('an import replaces a cluster only when that is wanted, and never by an invalid file', async () => {
  const file = join(home.dir, 'lab.yaml')
  writeFileSync(file, LAB)
  await ollamax('cluster', 'create', 'lab')
  const before = readFileSync(join(clusters, 'lab.yaml'), 'utf8')
  expect((await ollamax('cluster', 'import', file)).code).toBe(5)
  const bad = join(home.dir, 'bad.yaml')
  writeFileSync(bad, LAB.replace('labels', 'lables'))
  const refused = await ollamax('cluster', 'import', bad, '--name', 'lab', '--yes')
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain(
    'bad.yaml:7:5 nodes[0].lables is not a known key; did you mean "labels"?',
  )
  expect(readFileSync(join(clusters, 'lab.yaml'), 'utf8')).toBe(before)
  expect((await ollamax('cluster', 'import', file, '--yes')).code).toBe(0)
  expect(readFileSync(join(clusters, 'lab.yaml'), 'utf8')).toBe(LAB)
})

test.each([
  [['cluster', 'create', '../evil'], 2, 'bad cluster name'],
  [['cluster', 'create', 'a b'], 2, 'bad cluster name'],
  [['cluster', 'create', ''], 2, 'bad cluster name'],
  [['cluster', 'use', 'nowhere'], 3, 'there is no cluster "nowhere"'],
  [['cluster', 'show', 'nowhere'], 3, 'there is no cluster "nowhere"'],
  [['cluster', 'show', '--cluster', '../../etc/passwd'], 2, 'bad cluster name'],
  [['cluster', 'rename', 'nowhere', 'x'], 3, 'there is no cluster "nowhere"'],
  [['cluster', 'remove', 'nowhere', '--yes'], 3, 'there is no cluster "nowhere"'],
  [['cluster', 'import', '/nowhere.yaml'], 1, 'there is no such file'],
  [['cluster', 'import', '-'], 2, 'a cluster from stdin needs a name'],
])('%j exits %d and says why', async (args, code, why) => {
  const result = await ollamax(...args)
  expect({code: result.code, stdout: result.stdout}).toEqual({code, stdout: ''})
  expect(result.stderr).toContain(why)
})

test('names that are taken are not taken again', async () => {
  await ollamax('cluster', 'create', 'a')
  await ollamax('cluster', 'create', 'b')
  expect((await ollamax('cluster', 'create', 'a')).code).toBe(5)
  expect((await ollamax('cluster', 'rename', 'a', 'b')).code).toBe(5)
  expect(readdirSync(clusters)).toEqual(['a.yaml', 'b.yaml'])
})

test('a cluster that cannot be read is listed as unknown, with the reason', async () => {
  await ollamax('cluster', 'create', 'good')
  writeFileSync(join(clusters, 'bad.yaml'), 'nodes: [')
  mkdirSync(join(clusters, 'dir.yaml'))
  symlinkSync('nowhere', join(clusters, 'link.yaml'))
  const {code, stdout, stderr} = await ollamax('cluster', 'list')
  expect(code).toBe(0)
  expect(stdout.split('\n').map((line) => line.split('\t')[2])).toEqual([
    'unknown',
    'unknown',
    '0',
    'unknown',
    undefined,
  ])
  expect(stderr).toContain('dir.yaml: it is a directory')
  expect(stderr).toContain('bad.yaml:1:')
})

test('OLLAMAX_CLUSTER and --cluster go before the preference', async () => {
  for (const name of ['a', 'b', 'c']) await ollamax('cluster', 'create', name)
  await ollamax('cluster', 'use', 'a')
  const env = {...home.env, OLLAMAX_CLUSTER: 'b'}
  const name = async (args: string[], environment: Record<string, string>) => {
    const {stdout} = await runCli(['cluster', 'show', '--json', ...args], {env: environment})
    return (JSON.parse(stdout) as {name: string}).name
  }
  expect(await name([], home.env as Record<string, string>)).toBe('a')
  expect(await name([], env)).toBe('b')
  expect(await name(['--cluster', 'c'], env)).toBe('c')
})

test('a directory that cannot be written is named, and nothing is left half-done', async () => {
  writeFileSync(join(home.dir, 'ollamax'), 'a file where the directory should be')
  const {code, stderr} = await ollamax('cluster', 'create', 'lab')
  expect(code).toBe(1)
  expect(stderr).toContain('STATE_IO')
  expect(stderr).toContain('a part of its path is not a directory')
})
