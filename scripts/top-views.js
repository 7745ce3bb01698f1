// Records docs/top.md: each view of `ollamax top` as a terminal (tmux, 100x20) shows it, with a real gateway before three
// stand-in nodes. Nothing is edited but ports and ids, which differ from run to run.
// The last two are of a machine of the tests' lab (needs root, or user namespaces), read over SSH.
//   npm run build && node scripts/top-views.js
import {mkdirSync, writeFileSync} from 'node:fs'
import {dirname, join, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'
import {makeArtifact} from '../test/lab/artifact.ts'
import {startLab} from '../test/lab/lab.ts'
import {startFakeOllama} from '../test/support/fake-ollama.ts'
import {startServe} from '../test/support/serve.ts'
import {tempHome} from '../test/support/temp-home.ts'
import {ollamax, startPane} from '../test/support/tmux.ts'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const home = tempHome()
const dir = join(home.env.OLLAMAX_HOME, 'clusters')
mkdirSync(dir, {recursive: true})
const models = [{name: 'tiny:latest'}, {name: 'small:latest'}]
const slow = {models, decodeTokensPerS: 25, answerTokens: 4000, loadMs: 0}
const nodes = [
  await startFakeOllama(slow),
  await startFakeOllama(slow),
  await startFakeOllama(slow),
]
const write = (gateway) =>
  writeFileSync(
    join(dir, 'default.yaml'),
    [
      'apiVersion: ollamax/v1',
      'kind: Cluster',
      ...(gateway ? [`gateway: {url: "${gateway}"}`] : []),
      'nodes:',
      ...nodes.map(({url}, at) => `  - {name: gpu-${at + 1}, url: "${url}"}`),
      '',
    ].join('\n'),
  )
const lines = [
  '# Top',
  '',
  '`ollamax top` shows the fleet live and acts on it: what the gateway sees that the cluster file names, else what the nodes',
  'say themselves (tokens and requests of others are then not to be seen, and are `?`). Figures of the machine (CPU, memory,',
  'disk, temperature, GPU) come over SSH and are `?` for a node that is reached by URL. Whatever nobody knows is `?`.',
  '',
  'Keys and commands: [top-keys.md](top-keys.md), or `?` in it. What drains, restarts or ends something asks; only `y` does it.',
  'A shell (`s`) has the terminal to itself, its end leads back. It needs 60x15; smaller, it says so and waits.',
  '',
  '- `--plain` (or `--screen-reader`) appends a line for each change and draws nothing; it needs no terminal.',
  '- `NO_COLOR`, `--theme dark|light|auto` and the preference `theme` are kept; only the 16 common colours are used. The',
  '  selected row has a `>` as well. A locale that is not UTF-8 gets plain letters for bars and arrows.',
  '- Whatever ends it, the terminal is given back, except for kill -9: then `reset` helps.',
  '',
  'The pictures below were recorded by `scripts/top-views.js`: a real gateway, three stand-in nodes, a terminal of 100x20.',
]
let serve
let gateway = ''
let pane
const asking = new AbortController()
try {
  write()
  serve = await startServe([], {env: home.env, timeoutMs: 120_000})
  gateway = serve.url
  write(gateway)
  pane = startPane(ollamax('top'), {env: home.env, columns: 100, rows: 20})
  await pane.sees('live')
  for (const model of ['tiny', 'small', 'tiny', 'tiny'])
    fetch(`${gateway}/api/generate`, {
      method: 'POST',
      body: JSON.stringify({model, prompt: 'hi'}),
      signal: asking.signal,
    })
      .then((reply) => reply.arrayBuffer())
      .catch(() => {})
  await pane.sees(/tokens\/s +[1-9]/)
  record('The fleet as a whole')
  pane.press('2')
  await pane.sees(/gpu-1 +up .* [1-9]/)
  record('Nodes')
  pane.press('d')
  await pane.sees('y/N')
  record('A question before something is done')
  pane.press('y')
  await pane.sees(/gpu-1 +up,drained/)
  pane.press('Enter')
  await pane.sees('> node gpu-1')
  record('One node (`enter`)')
  pane.press('3')
  await pane.sees(/> \S+ +\S+ +3/)
  record('Models')
  pane.press('Enter')
  await pane.sees(/> model \S+/)
  record('One model (`enter`)')
  pane.press('Escape')
  await pane.sees(/> \S+ +\S+ +3/)
  pane.press('4')
  await pane.sees(/running/)
  record('Requests')
  pane.press('Enter')
  await pane.sees('expected of each node')
  record('One request and the decision behind it (`enter`)')
  pane.press('5')
  await pane.sees(/drained/)
  record('Events')
  pane.press(':')
  pane.type('dr')
  await pane.sees(':dr_')
  pane.press('Tab')
  await pane.sees(/:drain _ +gpu-1/)
  record('A command, completed by `Tab`')
  pane.press('Escape')
  await pane.sees('? help')
  pane.press('?')
  await pane.sees('this help')
  record('Help (`?`)')
} finally {
  asking.abort()
  pane?.close()
  serve?.child.kill('SIGKILL')
  await Promise.all(nodes.map((node) => node.close()))
  home.dispose()
}
await overSsh()
writeFileSync(join(root, 'docs/top.md'), `${lines.join('\n')}\n`)
process.exit(0)

/** What only SSH tells: a real sshd and systemd, and the stand-in as its Ollama. */
async function overSsh() {
  const [lab, artifact] = await Promise.all([startLab({hosts: 1}), makeArtifact()])
  try {
    const words = ['node', 'add', 'h1', '--artifact', artifact.file, '--accept-host-key', '--yes']
    const added = await lab.cli(words)
    if (added.code !== 0) throw new Error(added.stderr)
    await lab.cli(['model', 'pull', 'tiny'])
    await lab.cli(['run', 'tiny', 'hi'])
    const env = {...lab.home.env, OLLAMAX_SSH_CONFIG: join(lab.dir, 'ssh_config')}
    const top = lab.inside(ollamax('top', '--view', 'nodes'))
    pane = startPane(top, {env, columns: 100, rows: 20})
    await pane.sees(/> h1 +up .* \d+% +\d+%/, 60_000)
    pane.press('Enter')
    await pane.sees('> node h1')
    record('A node over SSH, and its machine')
    pane.press('Escape')
    await pane.sees(/> h1 +up/)
    pane.press('l')
    await pane.sees(/> logs h1[\s\S]*ollama/, 30_000)
    record('The log of its Ollama, followed (`l`)')
    pane.press('q')
    await pane.ended()
  } finally {
    pane?.close()
    artifact.dispose()
    await lab.close()
  }
}

function record(title) {
  const seen = pane
    .screen()
    .replaceAll(gateway, 'http://127.0.0.1:11435')
    .replaceAll(/127\.0\.0\.1:(?!11435)\d+/g, '127.0.0.1:11434')
    .split('\n')
    .map((line) => line.trimEnd())
  lines.push('', `## ${title}`, '', '```text', ...seen, '```')
}
