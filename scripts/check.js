// Everything about the sources that can be checked without running them. Prints one line per check and, of those that
// fail, all they said. Exit code 1 if any failed.
import {spawn} from 'node:child_process'
import {existsSync} from 'node:fs'
import {availableParallelism} from 'node:os'
import {delimiter, dirname, join, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const bin = join(root, 'node_modules/.bin')

/** What is checked -> the command; the first alone, because others look at what it makes. */
const first = {build: [process.execPath, 'scripts/build.js']}
const checks = {
  'format and lint (biome)': ['biome', 'check', '--error-on-warnings', '.'],
  'types (tsc)': ['tsc', '-p', '.'],
  'import directions (dependency-cruiser)': [
    'depcruise',
    'src',
    '--config',
    '.dependency-cruiser.js',
  ],
  'dead code (knip)': ['knip'],
  'package (publint)': ['publint', '--strict'],
  ...(existsSync(join(root, 'scripts/docs.js'))
    ? {'generated docs and manifest': [process.execPath, 'scripts/docs.js', '--check']}
    : {}),
}

let failed = 0
for (const [name, words] of Object.entries(first)) await check(name, words)
const queue = failed > 0 ? [] : Object.entries(checks)
await Promise.all(
  Array.from({length: Math.min(availableParallelism(), 4)}, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await check(...next)
  }),
)
process.exitCode = failed > 0 ? 1 : 0

async function check(name, words) {
  const began = performance.now()
  const {code, output} = await run(words)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`)
  if (code === 0) return
  failed++
  console.log(output.trimEnd())
}

function run([command, ...args]) {
  return new Promise((done) => {
    const env = {...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, NO_COLOR: '1'}
    const child = spawn(command, args, {cwd: root, env})
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text
      })
    }
    child.once('error', (error) => done({code: 1, output: String(error)}))
    child.once('close', (code) => done({code: code ?? 1, output}))
  })
}
