// Prints what a long answer costs the terminal and the processor: bytes written beside the answer's own, CPU seconds, and
// the most rows that were drawn anew at once. The answer is Markdown of about 5,000 tokens; `script` is the terminal.
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {dirname, join, resolve} from 'node:path'
import {createInterface} from 'node:readline'
import {setTimeout as pause} from 'node:timers/promises'
import {fileURLToPath} from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const rates = process.argv.slice(2).map(Number)

const section = (at) => `## Part ${at}

Some text about part ${at} that goes on for a while, with **strong words**, \`code\` in it and a few more words so that it
becomes a paragraph of several lines on a terminal of eighty columns, as answers have them.

1. first of the points
2. second of the points, which is longer than the first one
   - with something below it

\`\`\`python
def part_${at}(values):
    """Add what is there."""
    total = 0
    for value in values:
        total += value  # one by one
    return total
\`\`\`

| name | value |
|------|------:|
| one | ${at} |
| two | ${at * 2} |

`
const answer = Array.from({length: 50}, (_, at) => section(at)).join('')

for (const rate of rates.length > 0 ? rates : [50, 200]) await measure(rate)

async function measure(tokensPerS) {
  const home = mkdtempSync(join(tmpdir(), 'ollamax-bench-'))
  const node = spawn(
    process.execPath,
    [
      join(root, 'test/support/fake-ollama.ts'),
      '--settings',
      JSON.stringify({models: ['bench'], answer, decodeTokensPerS: tokensPerS}),
    ],
    {stdio: ['ignore', 'pipe', 'inherit']},
  )
  try {
    const [line] = await once(createInterface(node.stdout), 'line')
    mkdirSync(join(home, 'clusters'), {recursive: true})
    writeFileSync(
      join(home, 'clusters/default.yaml'),
      `apiVersion: ollamax/v1\nkind: Cluster\nnodes:\n  - {name: n1, url: "${JSON.parse(line).url}"}\n`,
    )
    await chat(home, tokensPerS)
  } finally {
    node.kill()
    rmSync(home, {recursive: true, force: true})
  }
}

async function chat(home, tokensPerS) {
  const command = `stty cols 80 rows 24; exec '${process.execPath}' '${join(root, 'bin/run.js')}' chat bench`
  const terminal = spawn('script', ['-qefc', command, '/dev/null'], {
    env: {...process.env, OLLAMAX_HOME: home, TERM: 'xterm-256color'},
  })
  let out = ''
  let bytes = 0
  terminal.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
    bytes += Buffer.byteLength(text)
  })
  await until(() => out.includes('/help'), 20_000)
  const pid = childOf(terminal.pid)
  const before = {bytes, cpu: cpuSeconds(pid), ms: performance.now(), at: out.length}
  terminal.stdin.write('go\r')
  await until(() => / tokens\/s/.test(out.slice(before.at)), 600_000)
  const ms = performance.now() - before.ms
  const cpu = cpuSeconds(pid) - before.cpu
  const rss = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
  const written = bytes - before.bytes
  const tokens = /(\d+) tokens/.exec(out.slice(before.at))?.[1]
  terminal.stdin.write('\u0004')
  await once(terminal, 'close')
  const own = Buffer.byteLength(answer)
  console.log(
    [
      `${tokens} tokens at ${tokensPerS}/s`,
      `answer ${own} bytes`,
      `written ${written} bytes (${(written / own).toFixed(1)} times)`,
      `CPU ${cpu.toFixed(2)} s of ${(ms / 1000).toFixed(1)} s (${((cpu * 100_000) / ms).toFixed(1)} % of a core)`,
      `peak memory ${rss.toFixed(0)} MB`,
    ].join(', '),
  )
}

async function until(condition, timeoutMs) {
  const deadline = performance.now() + timeoutMs
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('waited in vain')
    await pause(20)
  }
}

/** `script` starts a shell, which becomes the program. */
function childOf(pid) {
  const child = readdirSync('/proc').find((name) => {
    if (!/^\d+$/.test(name)) return false
    try {
      return (
        readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] === String(pid)
      )
    } catch {
      return false
    }
  })
  return Number(child)
}

function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
