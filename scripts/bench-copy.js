// Prints how long it takes to fill four nodes with a model of 1 GiB from a fifth, beside what scp takes to carry the same
// bytes to one host: each round does both, in turn first the one or the other, on real hosts (test/lab) that share this
// machine's cores. Needs root on Debian, 9 GiB of memory. Usage: bench-copy.js [ROUNDS] [MIB]
import {randomFillSync} from 'node:crypto'
import {writeFileSync} from 'node:fs'
import {availableParallelism} from 'node:os'
import {join} from 'node:path'
import {makeArtifact} from '../test/lab/artifact.ts'
import {startLab} from '../test/lab/lab.ts'
import {plantModel, STORE} from '../test/lab/plant-model.ts'

const GOAL = 2.2
const MIB = 1024 * 1024
const rounds = Number(process.argv[2] ?? 5)
const mib = Number(process.argv[3] ?? 1024)
const TARGETS = [2, 3, 4, 5]

const artifact = await makeArtifact()
const lab = await startLab({hosts: 5, disk: `${mib * 2 + 512}m`})
const env = {
  ...lab.home.env,
  OLLAMAX_SSH_CONFIG: join(lab.dir, 'ssh_config'),
  OLLAMAX_NO_REUSE: '1',
}
const series = {scp: [], copy: []}
try {
  const hosts = [1, ...TARGETS].map((n) => `root@h${n}`)
  await cli(['node', 'add', ...hosts, '--artifact', artifact.file, '--accept-host-key', '--yes'])
  const content = weights()
  writeFileSync(join(lab.dir, 'weights'), content)
  await plantModel(lab, 1, {name: 'big', content})
  await round(0)
  series.scp = series.copy = []
  for (let i = 0; i < rounds; i++) await round(i)
} finally {
  await lab.close()
  artifact.dispose()
}

console.log(
  `Node ${process.version}, ${availableParallelism()} cores, ${mib} MiB, ${rounds} rounds in turn, medians; CPU of the command + of all hosts`,
)
for (const [name, list] of Object.entries(series)) {
  const all = list.map(({ms}) => ms.toFixed(0)).join(' ')
  console.log(
    `${name.padEnd(5)} ${median(list, 'ms').toFixed(0).padStart(6)} ms   CPU ${median(list, 'cpuMs').toFixed(0)} + ${median(list, 'hostsMs').toFixed(0)} ms   (${all})`,
  )
}
const ratio = median(series.copy, 'ms') / median(series.scp, 'ms')
console.log(`ratio ${ratio.toFixed(2)}  goal ${GOAL.toFixed(1)}${ratio > GOAL ? '  MISSED' : ''}`)

/** Bytes that nothing could make fewer. */
function weights() {
  const all = Buffer.alloc(mib * MIB)
  for (let at = 0; at < all.length; at += 16 * MIB) randomFillSync(all, at, 16 * MIB)
  return all
}

async function round(i) {
  const sides = [
    ['scp', () => scp(join(lab.dir, 'weights'), 'root@h2:/root/weights')],
    [
      'copy',
      () =>
        cli(['model', 'copy', 'big', '--from', 'h1', '--to', TARGETS.map((n) => `h${n}`).join()]),
    ],
  ]
  for (const [name, work] of i % 2 ? sides.reverse() : sides) {
    series[name] = [...series[name], await timed(work)]
    await lab.exec(2, 'rm -f /root/weights')
    for (const n of TARGETS) await lab.exec(n, `rm -rf ${STORE}/blobs/* ${STORE}/manifests/*`)
  }
}

async function timed(work) {
  const hostsMs = () => [1, ...TARGETS].reduce((sum, n) => sum + lab.cpuMs(n), 0)
  const before = hostsMs()
  const startMs = performance.now()
  const cpuMs = await work()
  return {ms: performance.now() - startMs, cpuMs, hostsMs: hostsMs() - before}
}

function scp(from, to) {
  return tool(['scp', '-q', '-F', join(lab.dir, 'ssh_config'), from, to])
}

function cli(words) {
  return tool([process.execPath, 'bin/run.js', ...words, '--progress', 'none'])
}

/** Runs it to its end and gives the CPU time that it used. */
async function tool(words) {
  const timing = ['bash', '-c', 'TIMEFORMAT="cpu %U %S"; time "$@"', 'bash']
  const done = await lab.tool([...timing, ...words], {env, timeoutMs: 300_000})
  if (done.code !== 0) throw new Error(`${words.join(' ')}\n${done.stdout}${done.stderr}`)
  const [, user, system] = /^cpu (\S+) (\S+)$/m.exec(done.stderr) ?? []
  return (Number(user) + Number(system)) * 1000
}

function median(list, key) {
  const sorted = list.map((it) => it[key]).sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}
