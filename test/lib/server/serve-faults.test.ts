import {readFileSync, writeFileSync} from 'node:fs'
import {Agent} from 'node:http'
import {connect, type Socket} from 'node:net'
import {expect, test} from 'vitest'
import type {FakeOptions} from '../../support/fake-ollama/options.ts'
import type {FakeOllama} from '../../support/fake-ollama.ts'
import {ask, askMany, figures, say} from '../../support/load.ts'
import {type RunningCli, startCli} from '../../support/run-cli.ts'
import {serveHarness} from '../../support/serve-harness.ts'
import {freePort} from '../../support/sshd.ts'
import {waitFor} from '../../support/wait-for.ts'

// The gateway as a process, and what may happen to a process; each test prints what became of the requests.

const {home, node, write, serve, hold} = serveHarness()

const chat = {model: 'tiny', messages: [{role: 'user', content: 'hi'}]}
const whole = {...chat, stream: false}

/** Starts stand-in nodes and writes the cluster file that knows them. */
async function cluster(options: readonly FakeOptions[]) {
  const nodes: FakeOllama[] = []
  for (const one of options) nodes.push(await node(one))
  return {nodes, file: write(nodes)}
}

const memoryMb = ({child}: RunningCli) => {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
}

test('kill -9 of the gateway is seen by its clients, and its next start serves at once', async () => {
  const {nodes} = await cluster([{decodeTokensPerS: 20, answerTokens: 1000}])
  const first = await serve()
  const streams = Array.from({length: 50}, () => ask(first.url, chat))
  await streams[0]?.first
  const killedMs = performance.now()
  first.child.kill('SIGKILL')
  const all = await Promise.all(streams.map(({done}) => done))
  const seenMs = performance.now() - killedMs
  await first.ended
  await nodes[0]?.set({decodeTokensPerS: 0, answerTokens: 5})
  const startedMs = performance.now()
  await serve(['--listen', new URL(first.url).host])
  const got = await ask(first.url, chat).done
  const serves = performance.now() - startedMs
  figures('gateway kill -9', all, {'seen after ms': seenMs, 'serves again after ms': serves})
  for (const {ending} of all) expect(ending).toBe('broken')
  expect(got.ending).toBe('answered')
  await waitFor('the node to be free of the old ones', () =>
    nodes[0]?.requests.every(({outcome}) => outcome !== 'open'),
  )
})

test('SIGTERM breaks no answer off that ends in time, and ends the others at the deadline', async () => {
  const {nodes} = await cluster([{slots: 20, decodeTokensPerS: 20, answerTokens: 20}])
  const gateway = await serve(['--drain-timeout', '2s'])
  // Learned slots grow answer by answer.
  await askMany(40, 20, () => ask(gateway.url, {...chat, options: {num_predict: 2}}))
  const short = Array.from({length: 5}, () => ask(gateway.url, chat))
  await Promise.all(short.map(({first}) => first))
  await nodes[0]?.set({answerTokens: 1000})
  const long = Array.from({length: 5}, () => ask(gateway.url, chat))
  await Promise.race(long.map(({first}) => first))
  const termMs = performance.now()
  gateway.child.kill('SIGTERM')
  const ended = await gateway.ended
  const tookMs = performance.now() - termMs
  const done = await Promise.all(short.map((one) => one.done))
  const cut = await Promise.all(long.map((one) => one.done))
  figures('gateway SIGTERM', [...done, ...cut], {'ended after ms': tookMs})
  for (const {ending} of done) expect(ending).toBe('answered')
  for (const {ending} of cut) expect(ending).toBe('told')
  expect(ended.code).toBe(0)
})

test('a clock that jumps changes neither times nor decisions', async () => {
  await cluster([
    {slots: 2, decodeTokensPerS: 400},
    {slots: 2, decodeTokensPerS: 400},
  ])
  const preload = new URL('./clock-child.ts', import.meta.url).href
  const gateway = await serve([], {NODE_OPTIONS: `--import=${preload}`})
  let jumps = 0
  const all = await askMany(
    160,
    8,
    () => ask(gateway.url, chat),
    (_, at) => {
      if (at % 20 !== 10) return
      jumps++
      gateway.child.kill('SIGUSR2')
    },
  )
  const queueMs = all.map(({headers}) => Number(headers['x-ollamax-queue-ms']))
  const late = all.filter(({totalMs}, at) => (queueMs[at] ?? 0) > totalMs + 1).length
  const log = gateway.stderr().trimEnd().split('\n')
  const hours = new Set(log.map((line) => Math.round(JSON.parse(line).time / 3_600_000)))
  const {failed, retried} = figures('clock jumps', all, {
    jumps,
    'hours in its log': hours.size,
    'longest queue ms': Math.max(...queueMs),
    'slowest ms': Math.max(...all.map(({totalMs}) => totalMs)),
  })
  expect({failed, retried, late}).toEqual({failed: 0, retried: 0, late: 0})
  for (const ms of queueMs) expect(ms).toBeGreaterThanOrEqual(0)
  // The clock did jump.
  expect(hours.size).toBeGreaterThan(2)
})

test('a full disk under the log costs no answer', async () => {
  await cluster([{}])
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  // Its log goes nowhere, so it cannot say that it listens.
  const wrap = ['sh', '-c', 'exec "$@" 2>/dev/full', 'sh']
  hold(startCli(['serve', '--listen', `127.0.0.1:${port}`], {env: home().env, wrap}))
  await waitFor('the gateway to be ready', async () => (await fetch(`${url}/readyz`)).ok)
  const all = await askMany(200, 8, () => ask(url, chat))
  const dropped = await waitFor('the loss to be counted', async () => {
    const text = await (await fetch(`${url}/metrics`)).text()
    const lines = Number(/^ollamax_log_dropped_total (\d+)/m.exec(text)?.[1])
    return lines >= 200 && lines
  })
  const {failed} = figures('full disk', all, {'log lines lost': dropped})
  expect(failed).toBe(0)
})

test('a broken cluster file under load changes nothing and is said', async () => {
  const {file} = await cluster([{}, {}])
  const text = readFileSync(file, 'utf8')
  const gateway = await serve()
  const said = () => gateway.stderr().includes('a changed file is not used')
  let broken = false
  const agent = new Agent({keepAlive: true, maxSockets: 8})
  const load = askMany(
    400,
    8,
    () => ask(gateway.url, chat, {agent}),
    (_, at) => {
      if (at !== 50) return
      broken = true
      writeFileSync(file, 'nodes: [ {name: ')
    },
  )
  await waitFor('the error to be said', said)
  const after = await askMany(50, 8, () => ask(gateway.url, chat, {agent}))
  writeFileSync(file, text)
  await waitFor('the mended one to be read', () =>
    gateway.stderr().includes('read the changed cluster file'),
  )
  const all = [...(await load), ...after]
  agent.destroy()
  const {failed} = figures('broken cluster file', all)
  expect({failed, broken}).toEqual({failed: 0, broken: true})
})

test('ten thousand connections are kept idle and then answered, in bounded memory', async () => {
  await cluster([
    {slots: 64, answerTokens: 1},
    {slots: 64, answerTokens: 1},
  ])
  const files = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
  const count = Math.min(10_000, Number(files?.[1]) - 1000)
  const gateway = await serve(['--log-level', 'info'])
  const port = Number(new URL(gateway.url).port)
  await askMany(200, 16, () => ask(gateway.url, whole))
  const emptyMb = memoryMb(gateway)
  const sockets: Socket[] = []
  const beganMs = performance.now()
  await inTurn(count, 200, async () => {
    const socket = await dial(port)
    // Whoever says nothing at all is cut off after 20 s.
    if ((await one(socket, HEALTH, 'ok\n')) === 200) sockets.push(socket)
  })
  const connectMs = performance.now() - beganMs
  const idle = await askMany(20, 1, () => ask(gateway.url, whole))
  const idleMb = memoryMb(gateway)
  const counts = {answered: 0, failed: 0}
  const askedMs = performance.now()
  await inTurn(count, 256, async (at) => {
    const socket = sockets[at]
    const status = socket ? await one(socket, REQUEST, '"done":true') : 0
    if (status === 200) counts.answered++
    else counts.failed++
  })
  const tookMs = performance.now() - askedMs
  const fullMb = memoryMb(gateway)
  for (const socket of sockets) socket.destroy()
  say('10,000 connections', {
    sent: count,
    ...counts,
    retried: 0,
    'connected in ms': connectMs,
    'requests/s': (count / tookMs) * 1000,
    'MB empty': emptyMb,
    'MB idle': idleMb,
    'MB after': fullMb,
    'beside them ms': Math.max(...idle.map(({totalMs}) => totalMs)),
  })
  expect(counts).toEqual({answered: count, failed: 0})
  expect(fullMb).toBeLessThan(500)
}, 60_000)

/** Calls it for 0 to count - 1, at most so many at once. */
async function inTurn(count: number, atOnce: number, call: (at: number) => Promise<void>) {
  let next = 0
  const worker = async () => {
    for (let at = next++; at < count; at = next++) await call(at)
  }
  await Promise.all(Array.from({length: atOnce}, worker))
}

function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket))
    socket.once('error', reject)
  })
}

const BODY = JSON.stringify(whole)
const REQUEST = `POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`

const HEALTH = 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'

/** The status of one request on a connection; 0: it broke. */
function one(socket: Socket, request: string, end: string): Promise<number> {
  return new Promise((resolve) => {
    let got = ''
    const read = (chunk: Buffer) => {
      got += chunk.toString('latin1')
      if (got.includes(end) || /^HTTP\/1\.1 [^2]/.test(got)) over(Number(got.slice(9, 12)))
    }
    const closed = () => over(0)
    const over = (status: number) => {
      socket.off('data', read).off('close', closed)
      resolve(status)
    }
    socket.on('data', read).on('close', closed)
    socket.write(request)
  })
}
