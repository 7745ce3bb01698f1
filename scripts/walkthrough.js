// Records docs/walkthrough.md: real commands on real hosts (the lab of test/lab), their output as it came.
//   node scripts/walkthrough.js --artifact ollama-linux-amd64.tgz --version 0.24.0 --models DIR --model NAME
// The archive is a real Ollama; DIR is a model store that has NAME, copied to the hosts behind SSH's back, since they
// have no way out. Needs root and Debian, as the end-to-end tests do.
import {execFileSync} from 'node:child_process'
import {readdirSync, writeFileSync} from 'node:fs'
import {dirname, join, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'
import {parseArgs} from 'node:util'
import {startLab} from '../test/lab/lab.ts'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const {values} = parseArgs({
  options: {
    artifact: {type: 'string'},
    version: {type: 'string'},
    models: {type: 'string'},
    model: {type: 'string'},
  },
})
for (const name of ['artifact', 'version', 'models', 'model'])
  if (!values[name])
    throw new Error(`--${name} is missing; the first lines of this file say what it is`)

const lines = [
  '# A walk through it',
  '',
  `Recorded by \`scripts/walkthrough.js\` on three hosts of the project's own lab (Debian 12, systemd, OpenSSH, no way out to the`,
  `internet) with Ollama ${values.version} and the model ${values.model}. Nothing below was edited.`,
]
const lab = await startLab({hosts: 3, disk: '2g'})
try {
  say(
    '## Three bare hosts become nodes',
    'The archive travels over SSH; the hosts need no internet, no curl and no open port.',
  )
  await run(
    `ollamax node add ops@h1 ops@h2 ops@h3 --artifact ollama.tgz --ollama-version ${values.version} --label tier=lab`,
  )
  seed()
  await run('ollamax node list', {tty: true})
  await run('ollamax status', {tty: true})
  say(
    '## A prompt',
    'It streams from the node that should finish soonest; `--explain` says why that one.',
  )
  await run(`ollamax run ${values.model} "What is the capital of France?"`)
  await run(`ollamax run ${values.model} "What is the capital of France?" --explain --verbose`)
  await run(
    `echo "The sky is blue because" | ollamax run ${values.model} --option num_predict=24 --json`,
  )
  await run('ollamax run smolm2:135m hi')
  say('## The life of a node')
  await run('ollamax node drain h1')
  await run('ollamax node exec h2 -- uptime -p')
  await run('ollamax node logs h2 -n 3')
  await run('ollamax node restart h3 --yes')
  await run('ollamax doctor')
  say(
    '## And back',
    'Uninstalling gives the host back as it was (`--keep-models` leaves the models there).',
  )
  await run('ollamax node remove h1 --uninstall --yes')
  await run('ollamax node list', {tty: true})
} finally {
  await lab.close()
}
writeFileSync(join(root, 'docs/walkthrough.md'), `${lines.join('\n')}\n`)

function say(...paragraphs) {
  for (const text of paragraphs) lines.push('', text)
}

/** Runs one line by a shell on the operator's side and notes what it printed; a failure is part of it. */
async function run(line, {tty = false} = {}) {
  const dir = join(lab.dir, 'bin')
  execFileSync('sh', [
    '-ec',
    `mkdir -p ${dir}; printf '#!/bin/sh\\nexec ${process.execPath} ${root}/bin/run.js "$@"\\n' >${dir}/ollamax; chmod +x ${dir}/ollamax; ln -sf ${resolve(values.artifact)} ${lab.dir}/ollama.tgz`,
  ])
  const env = {
    ...lab.home.env,
    OLLAMAX_SSH_CONFIG: join(lab.dir, 'ssh_config'),
    PATH: `${dir}:${process.env.PATH}`,
    NO_COLOR: '1',
    COLUMNS: '110',
  }
  const accept = line.startsWith('ollamax node add') ? ' --accept-host-key' : ''
  const shell = `cd ${lab.dir}; ${line}${accept} 2>&1`
  const words = tty
    ? ['script', '-qec', `stty cols 110; ${shell}`, '/dev/null']
    : ['sh', '-c', shell]
  const done = await lab.tool(words, {env, timeoutMs: 240_000})
  const output = done.stdout.replaceAll('\r', '').trimEnd().replaceAll(lab.dir, '.')
  lines.push('', '```console', `$ ${line}${accept}`, ...(output ? output.split('\n') : []), '```')
  if (done.code !== 0) lines.push('', `Exit code ${done.code}.`)
  console.log(lines.slice(-4 - output.split('\n').length).join('\n'))
}

function seed() {
  for (const host of [1, 2, 3]) {
    const pid = execFileSync('cat', [join(lab.dir, `h${host}.pid`)], {encoding: 'utf8'}).trim()
    const store = `/proc/${pid}/root/usr/share/ollama/.ollama/models`
    execFileSync('sh', [
      '-ec',
      `mkdir -p ${store}; cp -r ${resolve(values.models)}/. ${store}/; chown -R --reference=/proc/${pid}/root/usr/share/ollama ${store}`,
    ])
    if (readdirSync(store).length === 0) throw new Error(`nothing in ${values.models}`)
  }
}
