// Prints how much of what its nodes can do a batch gets out of them: the rate over two fast and four slow nodes together
// beside the sum of the rates of each alone. Stand-in nodes in processes of their own, answers of 20 to 60 tokens.
//   node scripts/bench-batch.js [--seconds 60] [--pace 0.5] [--learned] [--gateway]
// --pace: how fast the nodes are; on a machine that others use, too, slower ones leave it the time to keep up.
// --learned: nobody tells how many requests a node takes at once. --gateway: through `ollamax serve`.
import {mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {parseArgs} from 'node:util'
import {startNodeProcess} from '../test/support/node-process.ts'
import {runCli, startCli} from '../test/support/run-cli.ts'
import {tempHome} from '../test/support/temp-home.ts'
import {waitFor} from '../test/support/wait-for.ts'

const {values} = parseArgs({
  options: {
    seconds: {type: 'string', default: '60'},
    pace: {type: 'string', default: '0.5'},
    learned: {type: 'boolean', default: false},
    gateway: {type: 'boolean', default: false},
  },
})
const seconds = Number(values.seconds)
const pace = Number(values.pace)
const GOAL = 0.95
const TOKENS = {least: 20, most: 60}

const kinds = {
  fast: {count: 2, settings: {slots: 4, decodeTokensPerS: 100 * pace, answerTokens: 1000}},
  slow: {count: 4, settings: {slots: 2, decodeTokensPerS: 25 * pace, answerTokens: 1000}},
}
const mean = (TOKENS.least + TOKENS.most) / 2
const idealOf = ({settings}) => (settings.slots * settings.decodeTokensPerS) / mean

const home = tempHome()
const clusters = join(home.env.OLLAMAX_HOME, 'clusters')
mkdirSync(clusters, {recursive: true, mode: 0o700})
const nodes = []
let serve
try {
  for (const [kind, {count, settings}] of Object.entries(kinds))
    for (let at = 1; at <= count; at++)
      nodes.push({kind, settings, name: `${kind}-${at}`, process: await startNodeProcess(settings)})

  let sum = 0
  for (const [kind, of] of Object.entries(kinds)) {
    write(kind, [nodes.find((node) => node.kind === kind)])
    const {linesPerS} = await batch(kind, idealOf(of) * seconds)
    console.log(`one ${kind} node    ${show(linesPerS)}   ${of.count} of them in the fleet`)
    sum += linesPerS * of.count
  }
  const gateway = values.gateway ? await openGateway() : undefined
  write('all', nodes, gateway)
  const ideal = Object.values(kinds).reduce((total, of) => total + of.count * idealOf(of), 0)
  const all = await batch('all', ideal * seconds)
  for (const {node, lines} of all.nodes) console.log(`  ${node.padEnd(8)} ${lines} lines`)
  const ratio = all.linesPerS / sum
  console.log(
    `all together     ${show(all.linesPerS)}   of ${show(sum)}: ${ratio.toFixed(3)}, goal ${GOAL}${ratio < GOAL ? '  MISSED' : ''}`,
  )
  process.exitCode = ratio < GOAL ? 1 : 0
} finally {
  serve?.child.kill('SIGTERM')
  await serve?.ended
  await Promise.all(nodes.map((node) => node.process.kill()))
  home.dispose()
}

function write(cluster, list, gateway) {
  const entries = list.map(({name, settings, process: {url}}) => {
    const told = values.learned ? '' : `, ollama: {env: {OLLAMA_NUM_PARALLEL: "${settings.slots}"}}`
    return `  - {name: ${name}, url: "${url}"${told}}`
  })
  const lines = ['apiVersion: ollamax/v1', 'kind: Cluster', 'nodes:', ...entries]
  if (gateway) lines.push(`gateway: {url: "${gateway}"}`)
  writeFileSync(join(clusters, `${cluster}.yaml`), `${lines.join('\n')}\n`)
}

async function openGateway() {
  write('all', nodes)
  const args = ['serve', '--cluster', 'all', '--listen', '127.0.0.1:0', '--log-level', 'info']
  serve = startCli(args, {env: home.env, timeoutMs: 3_600_000})
  const address = () => /http:\/\/127\.0\.0\.1:\d+/.exec(serve.stderr())?.[0]
  await waitFor('the gateway to listen', () => address() !== undefined)
  return address()
}

/** Lengths as they come, but the same in every run. */
async function batch(cluster, count) {
  const input = join(home.dir, `${cluster}.jsonl`)
  const output = join(home.dir, `${cluster}.out.jsonl`)
  let seed = 1
  const lines = Array.from({length: Math.round(count)}, (_, at) => {
    seed = (seed * 48271) % 2147483647
    const tokens = TOKENS.least + (seed % (TOKENS.most - TOKENS.least + 1))
    return JSON.stringify({prompt: `question ${at}`, options: {num_predict: tokens}})
  })
  writeFileSync(input, `${lines.join('\n')}\n`)
  rmSync(output, {force: true})
  const args = ['batch', input, '-o', output, '--model', 'tiny', '--cluster', cluster]
  const {code, stdout, stderr} = await runCli([...args, '--json', '--progress', 'none'], {
    env: home.env,
    timeoutMs: 1000 * (seconds * 4 + 60),
  })
  if (code !== 0) throw new Error(`batch ended with ${code}\n${stdout}\n${stderr}`)
  const answers = readFileSync(output, 'utf8').trimEnd().split('\n')
  if (new Set(answers.map((text) => JSON.parse(text).line)).size !== lines.length)
    throw new Error('lines are lost or doubled')
  return JSON.parse(stdout)
}

function show(linesPerS) {
  return `${linesPerS.toFixed(2).padStart(6)} lines/s`
}
