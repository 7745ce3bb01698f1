import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {closeSync, openSync} from 'node:fs'
import {join} from 'node:path'
import {Writable} from 'node:stream'
import {text} from 'node:stream/consumers'
import fc from 'fast-check'
import {expect, onTestFinished, test} from 'vitest'
import {accessLine} from '../../../src/lib/log/access-line.ts'
import {type Log, type LogOptions, makeLog} from '../../../src/lib/log/make-log.ts'
import {needs} from '../../support/needs.ts'
import {requestRecord} from '../../support/request-record.ts'
import {tempHome} from '../../support/temp-home.ts'

const CHILD = join(import.meta.dirname, 'log-child.ts')
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/

/** What the log wrote, when it has been closed. */
async function written(
  use: (log: Log) => void,
  options: Partial<LogOptions> = {},
): Promise<string> {
  let out = ''
  const stream = new Writable({
    write(chunk, _encoding, done) {
      out += chunk
      done()
    },
  })
  const log = makeLog({stream, ...options})
  use(log)
  await log.close()
  return out
}

test('a request gets one line with all that is known of it', async () => {
  const out = await written((log) =>
    log.access(
      requestRecord({
        ...{key: 'key-7', queueMs: 1.23456, reason: 'warm, hedge', attempts: 2, hedge: 'won'},
      }),
    ),
  )
  expect(out.endsWith('}\n')).toBe(true)
  expect(JSON.parse(out)).toEqual({
    level: 'info',
    time: Date.UTC(2026, 10, 3, 12) + 400,
    msg: 'request',
    id: 'req-1',
    method: 'POST',
    route: '/api/chat',
    dialect: 'ollama',
    key: 'key-7',
    model: 'llama3.2:latest',
    node: 'alpha',
    status: 200,
    outcome: 'ok',
    attempts: 2,
    hedge: 'won',
    queueMs: 1.23,
    firstByteMs: 30,
    totalMs: 400,
    promptTokens: 10,
    answerTokens: 20,
    bytesIn: 100,
    bytesOut: 2000,
    reason: 'warm, hedge',
  })
})

test('whatever a client or a node calls itself, the line stays one line of JSON that says the same', () => {
  const foreign = fc.string({unit: 'binary', maxLength: 60})
  fc.assert(
    fc.property(foreign, foreign, fc.double(), (model, requestId, tokens) => {
      const line = accessLine(requestRecord({model, requestId, promptTokens: tokens}))
      expect(line).not.toMatch(CONTROL)
      expect(line.indexOf('\n')).toBe(line.length - 1)
      const said = JSON.parse(line)
      expect([said.model, said.id]).toEqual([model, requestId])
    }),
  )
})

test('times stand in the access log to a hundredth, whatever they are', () => {
  const ms = fc.oneof(
    fc.double({min: 0, max: 1e7, noNaN: true}),
    fc.nat(5000).map((n) => n / 100),
  )
  fc.assert(
    fc.property(ms, ms, (totalMs, queueMs) => {
      const said = JSON.parse(accessLine(requestRecord({totalMs, queueMs})))
      expect(said.totalMs).toBe(Math.round(totalMs * 100) / 100)
      expect(said.queueMs).toBe(Math.round(queueMs * 100) / 100)
    }),
  )
})

test('a person reads the same on the terminal, and nothing foreign is obeyed there', async () => {
  const out = await written(
    (log) => {
      log.info('listening', {address: '127.0.0.1:11435'})
      log.access(requestRecord({model: 'a\u001b[2Jb\nc\u202e', key: 'key-7', queueMs: 12}))
      log.warn('node \u001b]0;x\u0007', {node: 'be\rta'})
    },
    {pretty: (_tone, words) => words},
  )
  const lines = out.split('\n').map((line) => line.replace(/^\d\d:\d\d:\d\d /, 'CLOCK '))
  expect(lines).toEqual([
    'CLOCK info listening address=127.0.0.1:11435',
    'CLOCK 200 ok POST /api/chat a\\u001b[2Jb\\nc\\u202e on alpha 400 ms first 30 ms queued 12 ms 10+20 tokens id=req-1 key=key-7 attempts=1',
    'CLOCK warn node \\u001b]0;x\\u0007 node=be\\rta',
    '',
  ])
})

test('no key gets into the log, whoever passes one by mistake', async () => {
  const out = await written((log) => {
    log.info('GET /t/SECRETONE/api/tags', {url: 'http://h:1/t/SECRETTWO/api/chat?x=1'})
    log.error('bad header', {
      authorization: 'Bearer SECRETTHREE',
      err: new Error('x-api-key: SECRETFOUR'),
    })
    log.access(requestRecord({route: '/t/SECRETFIVE/api/chat'}))
    log.info('pulled hf.co/t/model')
  })
  expect(out).not.toMatch(/SECRET/)
  expect(out).toContain('hf.co/t/model')
  for (const line of out.trimEnd().split('\n')) expect(JSON.parse(line).level).toBeTypeOf('string')
})

test('a long name is cut, and levels below the chosen one cost no line', async () => {
  const model = 'm'.repeat(100_000)
  expect((await written((log) => log.access(requestRecord({model})))).length).toBeLessThan(700)
  const quiet = await written(
    (log) => {
      log.access(requestRecord())
      log.info('no')
      log.warn('yes')
    },
    {level: 'warn'},
  )
  expect(
    quiet
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).msg),
  ).toEqual(['yes'])
})

interface FullDisk {
  readonly dropped: number
  readonly losses: readonly string[]
  readonly log: string
}

interface Told {
  readonly dropped: number
  readonly losses: readonly string[]
  readonly worstMs: number
  readonly heapMb: number
}

async function told(child: ChildProcess): Promise<Told> {
  const [words] = await Promise.all([
    child.stderr ? text(child.stderr) : '',
    once(child, 'close').then(([code]) => expect(code).toBe(0)),
  ])
  return JSON.parse(words)
}

test('a full disk stops nothing: each line is counted as lost, and it is said once', async () => {
  const full = openSync('/dev/full', 'w')
  const said = await told(
    spawn(process.execPath, [CHILD, 'close', '5000'], {stdio: ['ignore', full, 'pipe']}),
  )
  closeSync(full)
  expect(said.dropped).toBe(5000)
  expect(said.losses).toEqual([expect.stringMatching(/ENOSPC|closed/)])
})

test('a reader that leaves stops nothing', async () => {
  const child = spawn(process.execPath, [CHILD, 'close', '20000'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout?.destroy()
  const said = await told(child)
  expect(said.dropped).toBeGreaterThan(19_000)
  expect(said.losses).toEqual([expect.stringContaining('EPIPE')])
})

test('a reader that stalls stops nothing and fills no memory', async () => {
  // 60,000 lines are about 20 MB; nobody reads them.
  const child = spawn(process.execPath, [CHILD, 'close', '60000'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = await told(child)
  expect(said.losses).toEqual([expect.stringContaining('stalled')])
  expect(said.dropped).toBeGreaterThan(30_000)
  console.log(
    `stalled reader: worst delay ${said.worstMs.toFixed(0)} ms, ${said.heapMb.toFixed(0)} MB`,
  )
  expect(said.worstMs).toBeLessThan(1000)
})

test('what was said just before the end is in the log', async () => {
  const child = spawn(process.execPath, [CHILD, 'exit', '3'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const out = child.stdout ? await text(child.stdout) : ''
  expect(
    out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).id),
  ).toEqual(['req-0', 'req-1', 'req-2'])
})

needs(
  'root',
  'unshare',
  'mount',
)('when a full disk has room again the log goes on, and says how much it lost', async () => {
  const home = tempHome()
  onTestFinished(home.dispose)
  // A file system of its own, 512 KB big, that only this process and its children see.
  const child = spawn(
    'unshare',
    [
      '-m',
      'sh',
      '-c',
      'mount -t tmpfs -o size=512k none "$1" && exec "$2" "$3" "$1" >"$1/log"',
      'sh',
    ].concat(home.dir, process.execPath, join(import.meta.dirname, 'full-disk-child.ts')),
    {stdio: ['ignore', 'ignore', 'pipe']},
  )
  const words = child.stderr ? text(child.stderr) : ''
  const [code] = await once(child, 'close')
  expect(code, await words).toBe(0)
  const said: FullDisk = JSON.parse(await words)
  expect(said.losses).toEqual([expect.stringContaining('ENOSPC')])
  expect(said.dropped).toBeGreaterThan(0)
  const lines = said.log
    .trimEnd()
    .split('\n')
    .map((line) => {
      try {
        return JSON.parse(line)
      } catch {
        return {torn: line}
      }
    })
  expect(lines.at(-1)).toMatchObject({
    level: 'warn',
    msg: 'log lines were lost',
    lines: said.dropped,
  })
  expect(lines.filter((line) => line.id === 'after')).toHaveLength(1)
  expect(lines.filter((line) => 'torn' in line).length).toBeLessThanOrEqual(1)
})
