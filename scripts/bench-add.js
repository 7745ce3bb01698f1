// Prints how long `node add` takes for one bare host and for ten at once: each round boots a lab of eleven fresh hosts
// (test/lab: real machines in namespaces, which share this machine's cores) and does both, in turn first the one or the
// ten. Needs root on Debian. Usage: bench-add.js [ROUNDS] [CHECKOUT]; a second, built checkout is measured in turn too.
import {availableParallelism} from 'node:os'
import {dirname, join, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'
import {makeArtifact} from '../test/lab/artifact.ts'
import {startLab} from '../test/lab/lab.ts'

const GOAL = 2.5
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const rounds = Number(process.argv[2] ?? 5)
const series = [root, ...process.argv.slice(3).map((it) => resolve(it))].map((checkout) => ({
  checkout,
  one: [],
  ten: [],
}))
const artifact = await makeArtifact()

try {
  for (const row of series) await round(row, 0) // fills the compile cache and the page cache
  for (const row of series) row.one = row.ten = []
  for (let i = 0; i < rounds; i++) for (const row of series) await round(row, i)
} finally {
  artifact.dispose()
}

console.log(
  `Node ${process.version}, ${availableParallelism()} cores, ${rounds} rounds in turn, medians; CPU of our process + of all hosts`,
)
for (const {checkout, one, ten} of series) {
  if (series.length > 1) console.log(checkout)
  console.log(`one host   ${shown(one)}`)
  console.log(`ten hosts  ${shown(ten)}`)
  const ratio = median(ten.map((it) => it.ms)) / median(one.map((it) => it.ms))
  console.log(`ratio ${ratio.toFixed(2)}  goal ${GOAL.toFixed(1)}${ratio > GOAL ? '  MISSED' : ''}`)
}

async function round(row, i) {
  const lab = await startLab({hosts: 11})
  try {
    const all = Array.from({length: 11}, (_, n) => n + 1)
    // A host that still boots would be measured too.
    await Promise.all(all.map((n) => lab.exec(n, 'systemctl is-system-running --wait || :')))
    const [first = 1, ...others] = all
    const sides = [
      {into: 'one', hosts: [first]},
      {into: 'ten', hosts: others},
    ]
    for (const {into, hosts} of i % 2 ? sides.reverse() : sides)
      row[into] = [...row[into], await measure(lab, row.checkout, hosts)]
  } finally {
    await lab.close()
  }
}

async function measure(lab, checkout, hosts) {
  const names = hosts.map((n) => `h${n}`)
  const words = [
    'node',
    'add',
    ...names,
    '--artifact',
    artifact.file,
    '--accept-host-key',
    '--json',
  ]
  const env = {
    ...lab.home.env,
    OLLAMAX_SSH_CONFIG: join(lab.dir, 'ssh_config'),
    OLLAMAX_NO_REUSE: '1',
  }
  const timed = ['bash', '-c', 'TIMEFORMAT="cpu %U %S"; time "$@"', 'bash']
  const run = [...timed, process.execPath, join(checkout, 'bin/run.js'), ...words]
  const cpuMs = () => hosts.reduce((sum, n) => sum + lab.cpuMs(n), 0)
  const before = cpuMs()
  const startMs = performance.now()
  const done = await lab.tool(run, {env})
  const ms = performance.now() - startMs
  if (done.code !== 0) throw new Error(`exit ${done.code}\n${done.stdout}${done.stderr}`)
  const {nodes} = JSON.parse(done.stdout)
  if (nodes.length !== hosts.length || nodes.some((it) => it.outcome !== 'added'))
    throw new Error(done.stdout)
  const [, user, system] = /^cpu (\S+) (\S+)$/m.exec(done.stderr) ?? []
  return {ms, ownMs: (Number(user) + Number(system)) * 1000, hostsMs: cpuMs() - before}
}

function shown(list) {
  const [ms, ownMs, hostsMs] = ['ms', 'ownMs', 'hostsMs'].map((key) =>
    median(list.map((it) => it[key])),
  )
  return `${ms.toFixed(0).padStart(6)} ms   CPU ${ownMs.toFixed(0)} + ${hostsMs.toFixed(0)} ms`
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}
