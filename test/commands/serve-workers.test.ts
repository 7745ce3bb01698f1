import {createHash} from 'node:crypto'
import {appendFileSync, readFileSync, writeFileSync} from 'node:fs'
import {text} from 'node:stream/consumers'
import {describe, expect, onTestFinished, test} from 'vitest'
import {countedNode} from '../support/counted-node.ts'
import {pinnedToBoth, whoServes, workerOf} from '../support/pinned.ts'
import type {RunningServe} from '../support/serve.ts'
import {ask, begun, SLOW, serveHarness, tokensIn} from '../support/serve-harness.ts'
import {waitFor} from '../support/wait-for.ts'

const {cli, createKey, node, write, serve} = serveHarness()

const slots = (count: number) => `, ollama: {env: {OLLAMA_NUM_PARALLEL: "${count}"}}`
const PROMPT = {model: 'tiny', prompt: 'hi'}

/** A client of each of two workers, as long as the test runs. */
async function pair(url: string) {
  const clients = await pinnedToBoth(url)
  onTestFinished(() => {
    for (const client of clients) client.close()
  })
  return clients
}

/** Two workers, and a client of each. */
async function two() {
  const running = await serve(['--workers', '2'])
  return {...running, clients: await pair(running.url)}
}

/** Processes of the workers that have listened so far, in order. */
const pids = ({log}: Pick<RunningServe, 'log'>) =>
  log()
    .filter(({msg}) => msg === 'a worker listens')
    .map(({worker}) => Number(worker))

const lives = (pid: number) => {
  try {
    process.kill(pid, 0)
    // A zombie is as good as gone; it only waits to be asked how it ended.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

const fleetOf = async (client: {ask(path: string): Promise<{text: string}>}) =>
  JSON.parse((await client.ask('/ollamax/v1/fleet')).text) as {
    nodes: {name: string; breaker: string; inFlight: number; replicas: {breaker: string}[]}[]
    models: {waiting: number; running: number}[]
  }

describe('workers have one view', () => {
  test('40 clients of two workers share one queue, and a node never gets more than its slots', async () => {
    const counted = await countedNode(
      await node({slots: 8, decodeTokensPerS: 500, answerTokens: 20}),
    )
    write([counted], slots(2))
    const {url, log} = await serve(['--workers', '2'])
    expect(log().find(({msg}) => msg === 'listening')).toMatchObject({workers: 2})
    const answers = await Promise.all(
      Array.from({length: 40}, async () => {
        const reply = await ask(url, {connection: 'close'})
        return {reply, tokens: tokensIn(await reply.text())}
      }),
    )
    expect(answers.map(({tokens}) => tokens)).toEqual(Array(40).fill(20))
    const header = (name: string) => answers.map(({reply}) => reply.headers.get(name))
    expect(new Set(header('x-ollamax-attempts'))).toEqual(new Set(['1']))
    expect(new Set(header('x-ollamax-request-id').map((id) => workerOf(id ?? ''))).size).toBe(2)
    expect(counted.peak()).toBe(2)
    // Whoever of two workers had a queue of its own would tell most places twice.
    const places = header('x-ollamax-queue-position').filter((place) => place !== null)
    expect(places.length).toBeGreaterThan(30)
    expect(Math.max(...places.map(Number))).toBeGreaterThan(30)
  })

  test('a node that failed through one worker is left alone by the other', async () => {
    const [bad, good] = [
      await node({fault: {kind: 'status', status: 500, on: 'inference'}}),
      await node(),
    ]
    write([bad, good])
    const {clients} = await two()
    const [one, other] = clients
    const open = async () => {
      const {nodes} = await fleetOf(other)
      return nodes[0]?.replicas[0]?.breaker === 'open'
    }
    await waitFor('the breaker to open', async () => {
      expect(
        (await one.ask('/api/generate', PROMPT, {'x-ollamax-policy': 'round-robin'})).status,
      ).toBe(200)
      return open()
    })
    const before = bad.requests.length
    for (let at = 0; at < 4; at++) {
      const {headers} = await other.ask('/api/generate', PROMPT, {
        'x-ollamax-policy': 'round-robin',
      })
      expect([headers['x-ollamax-node'], headers['x-ollamax-attempts']]).toEqual(['n2', '1'])
    }
    const asked = bad.requests.slice(before).filter(({path}) => path === '/api/generate')
    expect(asked).toEqual([])
  })

  test('a client that leaves the queue of one worker makes room for one of the other', async () => {
    write([await node({...SLOW, slots: 1})], slots(1))
    const {url, clients} = await two()
    const [one, other] = clients
    const running = await one.begin('/api/generate', PROMPT)
    const wanted = {'x-ollamax-queue-status': 'true'}
    const waiting = await other.begin('/api/generate', PROMPT, wanted)
    // The connections are taken.
    const [third] = await pair(url)
    await waitFor('one to wait', async () => (await fleetOf(third)).models[0]?.waiting === 1)
    waiting.destroy()
    await waitFor('none to wait', async () => (await fleetOf(third)).models[0]?.waiting === 0)
    expect(tokensIn(await text(running))).toBe(150)
  })

  test('metrics and decisions are of all requests, whichever worker is asked', async () => {
    write([await node()])
    const {clients} = await two()
    for (const client of clients)
      for (let at = 0; at < 3; at++) await client.ask('/api/generate', PROMPT)
    const [one, other] = clients
    const told = async (path: string) => (await other.ask(path)).text
    // What a worker has done, the others can know a moment later.
    const decisions = await waitFor('all six', async () => {
      const found = JSON.parse(await told('/ollamax/v1/decisions')).decisions
      return found.length === 6 && (found as {id: string}[])
    })
    expect(new Set(decisions.map(({id}) => workerOf(id)))).toEqual(
      new Set([one.worker, other.worker]),
    )
    const counted = /^ollamax_requests_total\{.*route="\/api\/generate".*\} (\d+)$/m
    const metrics = await told('/metrics')
    expect(counted.exec(metrics)?.[1]).toBe('6')
    for (const place of [1, 2])
      expect(metrics).toMatch(
        new RegExp(`^ollamax_worker_resident_memory_bytes\\{worker="${place}"\\} [1-9]`, 'm'),
      )
    expect(await told('/readyz')).toBe('1 nodes can serve\n')
    const plan = JSON.parse((await other.ask('/ollamax/v1/explain', PROMPT)).text)
    expect(plan.candidates).toMatchObject([{node: 'n1', residency: 'loaded'}])
  })

  test("a key's rate is counted over all workers", async () => {
    write([await node()])
    const made = await cli('key', 'create', 'alice', '--rate', '6/m')
    const {clients} = await two()
    const headers = {'x-api-key': made.stdout.trim()}
    const statuses: number[] = []
    for (let at = 0; at < 4; at++)
      for (const client of clients)
        statuses.push((await client.ask('/api/tags', undefined, headers)).status)
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 429, 429])
    expect((await clients[0].ask('/healthz')).status).toBe(200)
  })

  test('what was uploaded through one worker is found through the other', async () => {
    const nodes = [await node(), await node(), await node()]
    write(nodes)
    const {clients} = await two()
    const [one, other] = clients
    const body = {a: 'part of a model'}
    const digest = `sha256:${createHash('sha256').update(JSON.stringify(body)).digest('hex')}`
    const last = {'x-ollamax-node': 'n3'}
    expect((await one.ask(`/api/blobs/${digest}`, body, last)).status).toBe(201)
    const made = await other.ask('/api/create', {model: 'mine', files: {'a.gguf': digest}})
    expect([made.status, made.headers['x-ollamax-node']]).toEqual([200, 'n3'])
    // Who makes a model and lists models sees it, whoever answers.
    for (const client of clients)
      expect((await client.ask('/api/tags')).text).toContain('"mine:latest"')
  })
})

describe('what the cluster file and keys allow holds for all workers', () => {
  test('a first token that is late is told by another node, and is in the log', async () => {
    const behaviour = {slots: 1, firstTokenDelayMs: 20, answerTokens: 2}
    const [first, second] = [await node(behaviour), await node(behaviour)]
    const file = write([first, second], slots(1))
    const {clients, logged, log} = await two()
    const [one, other] = clients
    const told = async (client: typeof one, headers: Readonly<Record<string, string>>) => {
      const {headers: got} = await client.ask('/api/generate', PROMPT, headers)
      return [got['x-ollamax-node'], got['x-ollamax-attempts']]
    }
    for (let round = 0; round < 24; round++)
      await Promise.all([
        told(one, {'x-ollamax-node': 'n1'}),
        told(other, {'x-ollamax-node': 'n2'}),
      ])
    appendFileSync(file, 'gateway: {url: "http://127.0.0.1:1", hedge: true}\n')
    await logged('read the changed cluster file')
    await told(one, {'x-ollamax-node': 'n2'})
    await first.set({fault: {kind: 'hang', on: 'inference', times: 1}})
    // What is usual was seen through both, the hedge is asked for through one.
    expect(await told(other, {'x-ollamax-policy': 'round-robin'})).toEqual(['n2', '2'])
    const line = await waitFor('its line', () => log().find(({hedge}) => hedge === 'won'))
    expect(line).toMatchObject({node: 'n2', attempts: 2, outcome: 'ok', reason: 'warm, hedge'})
    const free = async () => (await fleetOf(one)).nodes.every(({inFlight}) => inFlight === 0)
    await waitFor('both nodes to be free', free)
    expect((await one.ask('/metrics')).text).toMatch(/^ollamax_hedges_total.* 1$/m)
  })

  test('a recording has the requests of all workers, as far as the asking key may use their models', async () => {
    write([await node()])
    const keyOf = async (...words: string[]) => (await cli('key', 'create', ...words)).stdout.trim()
    const user = {'x-api-key': await keyOf('user')}
    const admin = {'x-api-key': await keyOf('ops', '--admin')}
    const narrow = {'x-api-key': await keyOf('few', '--admin', '--model', 'other')}
    const {clients} = await two()
    const [one, other] = clients
    const session = {...user, 'x-ollamax-session': 'mine'}
    for (const client of clients) await client.ask('/api/generate', PROMPT, session)
    const page = async (headers: Readonly<Record<string, string>>) => {
      const {status, text: got} = await other.ask('/ollamax/v1/recording', undefined, headers)
      return {status, ...JSON.parse(got)}
    }
    expect((await page(user)).status).toBe(403)
    const whole = await waitFor('both requests', async () => {
      const got = await page(admin)
      return got.requests.length === 2 && got
    })
    const asked = (whole.requests as {id: string; asked: object}[]).map((each) => each.asked)
    expect(asked).toMatchObject([{session: 's1'}, {session: 's1'}])
    const ids = (whole.requests as {id: string}[]).map(({id}) => workerOf(id))
    expect(new Set(ids)).toEqual(new Set([one.worker, other.worker]))
    expect(whole.nodes).toMatchObject([{node: 'n1', replicas: [{}]}])
    expect(await page(narrow)).toMatchObject({requests: [], nodes: [{node: 'n1', replicas: []}]})
  })

  test('a model that somebody brought to a node is found by every worker long before all is read anew', async () => {
    const n1 = await node()
    write([n1])
    const {clients} = await two()
    const headers = {'content-type': 'application/json'}
    const brought = async (model: string) => {
      const body = JSON.stringify({source: 'tiny', destination: model})
      expect((await fetch(`${n1.url}/api/copy`, {method: 'POST', headers, body})).status).toBe(200)
      return model
    }
    for (const [at, client] of clients.entries()) {
      const model = await brought(`new${at}`)
      await waitFor('an answer of it', async () => {
        return (await client.ask('/api/generate', {...PROMPT, model})).status === 200
      })
      const listed = await brought(`listed${at}`)
      await waitFor('it in the list', async () =>
        (await client.ask('/api/tags')).text.includes(`"${listed}:latest"`),
      )
    }
  })
})

describe('its files are watched', () => {
  test('new nodes, aliases and revoked keys reach all workers, and no stream notices', async () => {
    const [first, second] = [await node({...SLOW, slots: 2}), await node()]
    const file = write([first], slots(2))
    const token = await createKey('alice')
    await createKey('bob')
    const {url, clients, logged} = await two()
    const headers = {'x-api-key': token}
    const streams = await Promise.all(
      clients.map((one) => one.begin('/api/generate', PROMPT, headers)),
    )
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace(
        'nodes:',
        `aliases: {fast: tiny}\nnodes:\n  - {name: new, url: "${second.url}"}`,
      ),
    )
    await logged('read the changed cluster file')
    // Their own connections are taken by the streams.
    for (const client of await pair(url))
      expect((await client.ask('/api/show', {model: 'fast'}, headers)).status).toBe(200)
    await cli('key', 'revoke', 'alice', '--yes')
    await logged('read the changed keys')
    for (const stream of streams) expect(tokensIn(await text(stream))).toBe(150)
    for (const client of clients) {
      expect((await client.ask('/api/tags', undefined, headers)).status).toBe(401)
      expect((await client.ask('/readyz')).text).toBe('2 nodes can serve\n')
    }
  })
})

describe('processes', () => {
  test('a worker that is killed frees its slots at once, and another one takes its place', async () => {
    write([await node({...SLOW, answerTokens: 100_000, slots: 1})], slots(1))
    const {url, clients, log, logged} = await two()
    const [one, other] = clients
    const before = pids({log})
    expect(before).toHaveLength(2)
    const lost = await one.begin('/api/generate', PROMPT)
    const broken = expect(text(lost)).rejects.toThrow()
    const next = other.begin('/api/generate', PROMPT)
    const third = await pair(url)
    const survivor = third.find(({worker}) => worker === other.worker) ?? third[0]
    await waitFor(
      'the second one to wait',
      async () => (await fleetOf(survivor)).models[0]?.waiting === 1,
    )
    const owner = await whoServes(before, lost.socket.localPort)
    process.kill(owner, 'SIGKILL')
    await broken
    const begun = await next
    expect([begun.statusCode, workerOf(begun.headers['x-ollamax-request-id'])]).toEqual([
      200,
      other.worker,
    ])
    expect((await logged('a worker has ended')).worker).toBe(owner)
    expect((await fleetOf(survivor)).models[0]).toMatchObject({waiting: 0, running: 1})
    begun.destroy()
    await waitFor('another worker', () => pids({log}).length === 3)
    const again = await pair(url)
    expect(again.map(({worker}) => worker)).not.toContain(one.worker)
    expect((await again[0].ask('/metrics')).text).toContain('\nollamax_workers_ended_total 1\n')
    for (const client of again) expect((await client.ask('/api/tags')).status).toBe(200)
  })

  test('SIGTERM, to all of them as a terminal or systemd sends it, lets streams come whole', async () => {
    write([await node({...SLOW, slots: 4})], slots(4))
    const {url, child, ended, log} = await serve(['--workers', '2'])
    const streams = await Promise.all([begun(url), begun(url), begun(url)])
    const workers = pids({log})
    child.kill('SIGTERM')
    for (const pid of workers) process.kill(pid, 'SIGTERM')
    for (const stream of streams) expect(tokensIn(await stream.whole)).toBe(150)
    expect(await ended).toMatchObject({code: 0})
    expect(workers.filter(lives)).toEqual([])
    const told = log().filter(({msg}) => msg === 'request')
    expect(told.map(({outcome}) => outcome)).toEqual(['ok', 'ok', 'ok'])
  })

  test('what still runs at the end of --drain-timeout is broken off, and told', async () => {
    write([await node({...SLOW, answerTokens: 5000})])
    const {url, child, ended, log} = await serve(['--workers', '2', '--drain-timeout', '300ms'])
    const stream = await begun(url)
    child.kill('SIGTERM')
    const last = (await stream.whole).trimEnd().split('\n').at(-1) ?? ''
    expect(JSON.parse(last)).toEqual({error: expect.stringContaining('the gateway was shut down')})
    expect(await ended).toMatchObject({code: 0})
    expect(log().find(({msg}) => msg === 'request')).toMatchObject({outcome: 'failed'})
  })

  test('with the first process gone, so are the workers', async () => {
    write([await node()])
    const {child, log} = await serve(['--workers', '2'])
    const workers = pids({log})
    expect(workers.filter(lives)).toHaveLength(2)
    child.kill('SIGKILL')
    await waitFor('the workers to end', () => workers.filter(lives).length === 0)
  })

  test('why it cannot listen is told as without workers', async () => {
    write([await node()])
    const {url} = await serve()
    const {code, stderr} = await cli(
      'serve',
      '--workers',
      '2',
      '--listen',
      url.slice('http://'.length),
    )
    expect(code).toBe(2)
    expect(stderr).toContain('EADDRINUSE')
    expect(stderr).toContain('--listen')
  })

  test.each(['0', '65', 'many'])('%j workers are refused', async (count) => {
    expect((await cli('serve', '--workers', count)).code).toBe(2)
  })

  test('nobody starts a worker by hand', async () => {
    const {code, stderr} = await cli('worker')
    expect([code, stderr]).toEqual([2, expect.stringContaining('ollamax serve --workers')])
  })
})
