// What `ollamax top` takes, beside what it may: a real gateway before 200 stand-in nodes, 50 requests a second, `top` on a
// terminal of 200x50 (a pty by util-linux's `script`). CPU time is the process's own, so that a busy machine changes it
// little; a busy machine does change the times, so the load is printed too.
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {loadavg, tmpdir} from 'node:os'
import {dirname, join, resolve} from 'node:path'
import {createInterface} from 'node:readline'
import {setTimeout as pause} from 'node:timers/promises'
import {fileURLToPath} from 'node:url'

const NODES = 200
const PER_SECOND = 50
const SECONDS = Number(process.argv[2] ?? 20)
const TICKS_PER_S = 100
const GOALS = {cpu: 10, rss: 120, key: 50, first: 300, lag: 1000}
const VIEWS = ['overview', 'nodes', 'models', 'requests', 'events']

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const run = join(root, 'bin/run.js')
const home = mkdtempSync(join(tmpdir(), 'ollamax-bench-'))
const env = {
  ...process.env,
  HOME: home,
  OLLAMAX_HOME: join(home, 'o'),
  TERM: 'xterm',
  LC_ALL: 'C.UTF-8',
}
for (const name of ['NO_COLOR', 'FORCE_COLOR']) delete env[name]
const children = []

try {
  const fleet = child(process.execPath, [
    join(root, 'scripts/bench-tui/fleet.js'),
    NODES,
    PER_SECOND,
  ])
  const told = createInterface({input: fleet.stdout})
  const urls = JSON.parse((await once(told, 'line'))[0])
  let rate = {sent: 0, ended: 0}
  told.on('line', (line) => {
    rate = JSON.parse(line)
  })
  writeCluster(urls)
  const serve = child(process.execPath, [run, 'serve', '--listen', '127.0.0.1:0'])
  const gateway = await listening(serve)
  writeCluster(urls, gateway)
  fleet.stdin.write(`${gateway}\n`)
  await pause(3000)

  const firsts = []
  for (let round = 0; round < 5; round++) {
    const top = await startTop()
    firsts.push(top.firstMs)
    await top.quit()
  }
  const top = await startTop()
  await top.sees('live')
  const shares = []
  for (const [at, view] of VIEWS.entries()) {
    // The first one stands there already.
    if (at > 0) await top.key(`${at + 1}`, `[${at + 1} ${view}]`)
    await pause(1500)
    shares.push({view, share: await shareOf(top.pid, SECONDS)})
  }
  const keys = []
  for (let round = 0; round < 40; round++) {
    const at = round % VIEWS.length
    keys.push(await top.key(`${at + 1}`, `[${at + 1} ${VIEWS[at]}]`))
    await pause(60 + ((round * 37) % 150))
  }
  await top.key('4', '[4 requests]')
  // What runs stands before what has ended and would fill the screen.
  await top.key('/lag\r', 'nothing of')
  const lags = []
  for (let round = 0; round < 20; round++) {
    const name = `lag-${round}-x`
    const since = performance.now()
    const seen = top.sees(name)
    fetch(`${gateway}/api/generate`, {
      method: 'POST',
      body: JSON.stringify({model: name, prompt: 'x'}),
    }).catch(() => {})
    await seen
    lags.push(performance.now() - since)
    await pause(100 + ((round * 53) % 200))
  }
  await top.key('5', '[5 events]')
  const loads = await loadLags(top, urls)
  const memory = memoryOf(top.pid)
  const load = loadavg()[0]
  const watched = await shareOf(serve.pid, SECONDS)
  await top.quit()
  await pause(5000)
  const unwatched = await shareOf(serve.pid, SECONDS)
  writeCluster(urls)
  const direct = await startTop()
  await direct.key('5', '[5 events]')
  await pause(5000)
  const directShare = await shareOf(direct.pid, SECONDS)
  const directLoads = await loadLags(direct, urls)
  const directMemory = memoryOf(direct.pid)
  await direct.quit()

  console.log(
    `Node ${process.version}, ${NODES} nodes, ${rate.sent} requests sent and ${rate.ended} answered at ${PER_SECOND}/s, 200x50, load ${load.toFixed(1)}`,
  )
  for (const {view, share} of shares) print(`CPU, ${view}`, share, GOALS.cpu, '% of a core')
  print('memory at the end', memory.now, GOALS.rss, 'MB')
  print('memory at most', memory.most, GOALS.rss, 'MB')
  print('key to picture, median', median(keys), GOALS.key, 'ms')
  print('key to picture, 95 of 100', quantile(keys, 0.95), GOALS.key, 'ms')
  print('start to first picture, median', median(firsts), GOALS.first, 'ms')
  print('start to first picture, most', Math.max(...firsts), GOALS.first, 'ms')
  print('request to its row, median', median(lags), GOALS.lag, 'ms')
  print('request to its row, most', Math.max(...lags), GOALS.lag, 'ms')
  print('load behind its back, median', median(loads), GOALS.lag, 'ms')
  print('load behind its back, most', Math.max(...loads), GOALS.lag, 'ms')
  console.log(
    `the gateway at that: ${watched.toFixed(1)} % of a core, ${unwatched.toFixed(1)} while nobody watches`,
  )
  print('CPU, without a gateway', directShare, GOALS.cpu, '% of a core')
  print('memory at most, without a gateway', directMemory.most, GOALS.rss, 'MB')
  print('the same load, median', median(directLoads), GOALS.lag, 'ms')
  print('the same load, most', Math.max(...directLoads), GOALS.lag, 'ms')
} finally {
  for (const one of children) one.kill('SIGKILL')
  rmSync(home, {recursive: true, force: true})
}

/** From when a node was asked to load a model, by somebody else than us, until it is seen. */
async function loadLags(top, urls) {
  const lags = []
  for (let round = 0; round < 20; round++) {
    const at = (round * 37) % urls.length
    const model = `other-${round}`
    const since = performance.now()
    const seen = top.sees(`node-${at + 1} has loaded ${model}`)
    const ask = (more) =>
      fetch(`${urls[at]}/api/generate`, {
        method: 'POST',
        body: JSON.stringify({model, stream: false, ...more}),
      }).then((reply) => reply.text())
    await ask({})
    await seen
    lags.push(performance.now() - since)
    await ask({keep_alive: 0})
    await pause(100 + ((round * 53) % 400))
  }
  return lags
}

function print(name, value, goal, unit) {
  console.log(
    `${name.padEnd(34)} ${value.toFixed(1).padStart(7)} ${unit.padEnd(11)} goal ${goal}${value > goal ? '  MISSED' : ''}`,
  )
}

function child(command, args) {
  const started = spawn(command, args.map(String), {env, stdio: ['pipe', 'pipe', 'pipe']})
  started.stderr.resume()
  children.push(started)
  return started
}

function writeCluster(urls, gateway) {
  const dir = join(home, 'o/clusters')
  mkdirSync(dir, {recursive: true})
  const lines = urls.map((url, at) => `  - {name: node-${at + 1}, url: "${url}"}`)
  const front = gateway ? [`gateway: {url: "${gateway}"}`] : []
  writeFileSync(
    join(dir, 'default.yaml'),
    ['apiVersion: ollamax/v1', 'kind: Cluster', ...front, 'nodes:', ...lines, ''].join('\n'),
  )
}

async function listening(serve) {
  for await (const line of createInterface({input: serve.stderr})) {
    const {msg, url} = JSON.parse(line)
    if (msg?.startsWith('listening')) {
      serve.stderr.resume()
      return url
    }
  }
  throw new Error('the gateway has ended')
}

/** `top` on a terminal of its own; `firstMs`: from the start of its process to the first picture. */
async function startTop() {
  const file = join(home, `pid-${children.length}`)
  const inside = `stty cols 200 rows 50; echo $$ > ${file}; exec ${process.execPath} ${run} top`
  const script = child('script', ['-qefc', inside, '/dev/null'])
  let waiting = []
  script.stdout.setEncoding('utf8').on('data', (text) => {
    waiting = waiting.filter((one) => {
      one.text += text
      if (!one.text.includes(one.what)) return true
      one.done(performance.now())
      return false
    })
  })
  const sees = (what) =>
    new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error(`never saw ${what}`)), 30_000)
      const seen = (at) => {
        clearTimeout(timer)
        done(at)
      }
      waiting.push({what, text: '', done: seen})
    })
  const first = sees('ollamax top')
  // The shell notes its own id and then becomes the program: that moment is the start.
  while (!existsSync(file)) await pause(1)
  const since = performance.now()
  const firstMs = (await first) - since
  return {
    firstMs,
    pid: Number(readFileSync(file, 'utf8')),
    sees,
    async key(key, what) {
      const seen = sees(what)
      const pressed = performance.now()
      script.stdin.write(key)
      return (await seen) - pressed
    },
    async quit() {
      const gone = once(script, 'exit')
      script.stdin.write('q')
      await gone
    },
  }
}

/** CPU time of a process in percent of the time that has passed. */
async function shareOf(pid, seconds) {
  const since = performance.now()
  const before = ticksOf(pid)
  await pause(seconds * 1000)
  const passedS = (performance.now() - since) / 1000
  return ((ticksOf(pid) - before) / TICKS_PER_S / passedS) * 100
}

function ticksOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return Number(fields[11]) + Number(fields[12])
}

function memoryOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const of = (name) => (Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)[1]) * 1024) / 1e6
  return {now: of('VmRSS'), most: of('VmHWM')}
}

function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}
function median(values) {
  return quantile(values, 0.5)
}
