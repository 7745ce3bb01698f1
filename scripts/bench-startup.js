// Prints how long commands take from start to exit, as ratios to an empty script on the same Node.
// Every round runs each command once, in turn, so that noise of the machine meets all of them alike.
import {spawn, spawnSync} from 'node:child_process'
import {once} from 'node:events'
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {dirname, join, resolve} from 'node:path'
import {createInterface} from 'node:readline'
import {fileURLToPath} from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const rounds = Number(process.argv[2] ?? 15)
const home = mkdtempSync(join(tmpdir(), 'ollamax-bench-'))
const bin = join(root, 'bin/run.js')
const empty = join(home, 'empty.cjs')
writeFileSync(empty, '')

const standIn = spawn(
  process.execPath,
  [
    join(root, 'test/support/fake-ollama.ts'),
    '--settings',
    JSON.stringify({models: [{name: 'bench:latest'}], loadMs: 0}),
  ],
  {stdio: ['ignore', 'pipe', 'inherit']},
)
const [line] = await once(createInterface(standIn.stdout), 'line')
const {url} = JSON.parse(line)

const manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8'))
const env = (cluster) => ({
  ...process.env,
  OLLAMAX_HOME: home,
  OLLAMAX_CLUSTER: cluster,
  NO_COLOR: '1',
})
const ollamax = (cluster, ...args) => {
  const done = spawnSync(process.execPath, [bin, ...args], {
    env: env(cluster),
    input: '',
    encoding: 'utf8',
  })
  if (done.status !== 0)
    throw new Error(`ollamax ${args.join(' ')}: exit ${done.status}\n${done.stderr}`)
  return done.stdout
}

try {
  ollamax('', 'cluster', 'create', 'one')
  ollamax('one', 'node', 'add', url, '--name', 'direct')
  const nodes = Array.from(
    {length: 20},
    (_, i) => `  - {name: n${i + 1}, url: "http://127.0.0.1:${20_001 + i}"}\n`,
  )
  const file = join(home, 'twenty.yaml')
  writeFileSync(file, `apiVersion: ollamax/v1\nkind: Cluster\nnodes:\n${nodes.join('')}`)
  ollamax('', 'cluster', 'import', file, '--name', 'twenty')

  const series = [
    {name: 'empty script', goal: 1, argv: [empty], cluster: 'one'},
    {name: '--version', goal: 1.6, argv: [bin, '--version'], cluster: 'one'},
    {
      name: 'run, 16 tokens',
      goal: 2.5,
      argv: [bin, 'run', 'bench', 'hi', '--option', 'num_predict=16'],
      cluster: 'one',
    },
    {name: 'node list, 20 nodes', goal: 3.3, argv: [bin, 'node', 'list'], cluster: 'twenty'},
    {
      name: 'Tab key, 20 nodes',
      goal: 2.5,
      argv: [bin, 'complete', 'bash', 'ollamax node show n1', ':='],
      cluster: 'twenty',
    },
    ...Object.keys(manifest.commands)
      .filter((id) => !manifest.commands[id].hidden)
      .map((id) => ({
        name: `${id.replaceAll(':', ' ')} --help`,
        goal: 3.3,
        argv: [bin, ...id.split(':'), '--help'],
        cluster: 'one',
      })),
  ].map((row) => ({...row, ms: []}))

  for (const row of series) measure(row) // fills the compile cache
  for (const row of series) row.ms.length = 0
  for (let i = 0; i < rounds; i++) for (const row of series) measure(row)

  const base = median(series[0].ms)
  console.log(
    `Node ${process.version}, ${rounds} rounds in turn, median ms and ratio to an empty script`,
  )
  for (const {name, goal, ms} of series) {
    const ratio = median(ms) / base
    console.log(
      `${name.padEnd(30)} ${median(ms).toFixed(1).padStart(7)}  ${ratio.toFixed(2)}  goal ${goal.toFixed(1)}${ratio > goal ? '  MISSED' : ''}`,
    )
  }
} finally {
  standIn.kill()
  rmSync(home, {recursive: true, force: true})
}

function measure({argv, cluster, ms}) {
  const start = process.hrtime.bigint()
  const done = spawnSync(process.execPath, argv, {env: env(cluster), input: '', encoding: 'utf8'})
  ms.push(Number(process.hrtime.bigint() - start) / 1e6)
  if (done.status !== 0) throw new Error(`${argv.join(' ')}: exit ${done.status}\n${done.stderr}`)
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1]
}
