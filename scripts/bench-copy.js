// Prints how long it takes to fill four nodes with a model of 1 GiB from a fifth, beside what scp takes to carry the same
// bytes to one host: each round does both, in turn first the one or the other, on real hosts (test/lab) that share this
// machine's cores. Needs root on Debian, 9 GiB of memory. Usage: bench-copy.js [ROUNDS] [MIB]
import {createHash, randomFillSync} from 'node:crypto'
import {appendFileSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {availableParallelism} from 'node:os'
import {join} from 'node:path'
import {makeArtifact} from '../test/lab/artifact.ts'
import {startLab} from '../test/lab/lab.ts'

const GOAL = 2.2
const MIB = 1024 * 1024
const rounds = Number(process.argv[2] ?? 5)
const mib = Number(process.argv[3] ?? 1024)
const TARGETS = [2, 3, 4, 5]
const STORE = '/usr/share/ollama/.ollama/models'

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
  const file = weights()
  await plant(file)
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
  const file = join(lab.dir, 'weights')
  const block = Buffer.alloc(16 * MIB)
  writeFileSync(file, '')
  for (let i = 0; i < mib / 16; i++) appendFileSync(file, randomFillSync(block))
  return file
}

/** Makes a model of that file on h1, as Ollama's store would hold it. */
async function plant(file) {
  const hash = createHash('sha256')
  for (const chunk of chunks(readFileSync(file))) hash.update(chunk)
  const config = Buffer.from(JSON.stringify({name: 'big'}))
  const layer = (mediaType, digest, size) => ({mediaType, digest: `sha256:${digest}`, size})
  const weightsHex = hash.digest('hex')
  const configHex = createHash('sha256').update(config).digest('hex')
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: layer('application/vnd.docker.container.image.v1+json', configHex, config.length),
    layers: [layer('application/vnd.ollama.image.model', weightsHex, statSync(file).size)],
  })
  await scp(file, `root@h1:${STORE}/blobs/sha256-${weightsHex}`)
  await lab.exec(1, `cat >${STORE}/blobs/sha256-${configHex}`, {stdin: config})
  const dir = `${STORE}/manifests/registry.ollama.ai/library/big`
  await lab.exec(1, `mkdir -p ${dir}; cat >${dir}/latest; chown -R ollama: ${STORE}`, {
    stdin: manifest,
  })
}

function* chunks(buffer) {
  for (let at = 0; at < buffer.length; at += 16 * MIB) yield buffer.subarray(at, at + 16 * MIB)
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
