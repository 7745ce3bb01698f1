// Prints what a `run` over SSH costs beside one on a direct node, the model answering at once: held (the connection
// holder has the connection already) and with a login of its own. A real sshd on loopback; every round runs each once.
import {spawnSync} from 'node:child_process'
import {mkdirSync, writeFileSync} from 'node:fs'
import {dirname, join, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'
import {startFakeOllama} from '../test/support/fake-ollama.ts'
import {runCli} from '../test/support/run-cli.ts'
import {startSshd} from '../test/support/sshd.ts'
import {tempHome} from '../test/support/temp-home.ts'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const rounds = Number(process.argv[2] ?? 15)
const home = tempHome()
const sshd = await startSshd()
const standIn = await startFakeOllama({models: [{name: 'bench:latest'}], loadMs: 0})
const env = {...home.env, ...sshd.env, OLLAMAX_HOME: home.env.OLLAMAX_HOME}

const clusters = join(home.env.OLLAMAX_HOME, 'clusters')
mkdirSync(clusters, {recursive: true, mode: 0o700})
const write = (name, node) =>
  writeFileSync(
    join(clusters, `${name}.yaml`),
    `apiVersion: ollamax/v1\nkind: Cluster\nnodes:\n  - ${node}\n`,
  )
write('direct', `{name: direct, url: "${standIn.url}"}`)
write(
  'ssh',
  `{name: ssh, ssh: "${sshd.target}", hostKey: "${sshd.fingerprint()}", ollama: {port: ${standIn.port}}}`,
)

const series = [
  {name: 'direct', goal: 1, args: ['--cluster', 'direct']},
  {name: 'over SSH, held', goal: 1.5, args: ['--cluster', 'ssh']},
  {name: 'over SSH, --no-reuse', args: ['--cluster', 'ssh', '--no-reuse']},
].map((row) => ({...row, ms: []}))

try {
  for (const row of series) await measure(row) // starts the holder, fills the compile cache
  for (const row of series) row.ms.length = 0
  const before = sshd.logins()
  for (let i = 0; i < rounds; i++) for (const row of series) await measure(row)
  const base = median(series[0].ms)
  console.log(
    `Node ${process.version}, ${rounds} rounds in turn, median ms and ratio to a direct node`,
  )
  for (const {name, goal, ms} of series) {
    const ratio = median(ms) / base
    const want = goal ? `goal ${goal.toFixed(1)}${ratio > goal ? '  MISSED' : ''}` : ''
    console.log(
      `${name.padEnd(22)} ${median(ms).toFixed(1).padStart(7)}  ${ratio.toFixed(2)}  ${want}`,
    )
  }
  console.log(`logins: ${sshd.logins() - before}, of which ${rounds} by --no-reuse`)
} finally {
  spawnSync(process.execPath, [join(root, 'bin/run.js'), 'holder', '--stop'], {env})
  await standIn.close()
  await sshd.stop()
  home.dispose()
}

async function measure({args, ms}) {
  const start = process.hrtime.bigint()
  const done = await runCli(['run', 'bench', 'hi', '--option', 'num_predict=16', ...args], {env})
  ms.push(Number(process.hrtime.bigint() - start) / 1e6)
  if (done.code !== 0) throw new Error(`exit ${done.code}\n${done.stderr}`)
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1]
}
