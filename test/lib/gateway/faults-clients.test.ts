import {once} from 'node:events'
import {connect, type Socket} from 'node:net'
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest'
import type {Guard} from '../../../src/lib/gateway/guard.ts'
import type {FakeOptions} from '../../support/fake-ollama/options.ts'
import type {TestGateway} from '../../support/gateway.ts'
import {gatewayHarness} from '../../support/gateway-harness.ts'
import {type Asked, ask, askMany, figures, quantile, say} from '../../support/load.ts'
import {waitFor} from '../../support/wait-for.ts'

// Clients that go wrong, leave, or come in crowds; each test prints what became of the requests.

const start = gatewayHarness()
const warnings: Error[] = []
const warned = (warning: Error) => void warnings.push(warning)
beforeAll(() => void process.on('warning', warned))
afterAll(() => {
  process.off('warning', warned)
  expect(warnings.map(String)).toEqual([])
})
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
})

const chat = {model: 'tiny', messages: [{role: 'user', content: 'hi'}]}
const workOf = (gateway: TestGateway) =>
  gateway.nodes.flatMap(({requests}) => requests.filter(({path}) => path === '/api/chat'))

/** A connection on which anything can be said. */
async function dial(gateway: TestGateway): Promise<{socket: Socket; got: () => string}> {
  const socket = connect(gateway.port, '127.0.0.1')
  sockets.push(socket)
  let got = ''
  socket.on('data', (chunk: Buffer) => {
    got += chunk.toString('latin1')
  })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return {socket, got: () => got}
}

describe('slow clients', () => {
  test.each([
    ['heads', 'POST /api/chat HTTP/1.1\r\nHost: x\r\n', 'A: b\r\n'],
    [
      'bodies',
      'POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n{',
      ' ',
    ],
  ])('that send their %s drop by drop are cut off, and delay nobody', async (what, begin, drop) => {
    const gateway = await start([{}], {limits: {headersTimeoutMs: 500, bodyTimeoutMs: 500}})
    const slow = await Promise.all(Array.from({length: 100}, () => dial(gateway)))
    const closed = Promise.all(
      slow.map(({socket}) => new Promise((resolve) => socket.once('close', resolve))),
    )
    const beganMs = performance.now()
    for (const {socket} of slow) socket.write(begin)
    const dripping = setInterval(() => {
      for (const {socket} of slow) if (socket.writable) socket.write(drop)
    }, 50)
    const all = await askMany(50, 4, () => ask(gateway.url, chat))
    await closed
    clearInterval(dripping)
    const refused = slow.filter(({got}) => /^HTTP\/1\.1 408 /.test(got())).length
    const {failed} = figures(`slow ${what}`, all, {
      'slow clients': slow.length,
      'told 408': refused,
      'last cut off after ms': performance.now() - beganMs,
    })
    expect({failed, refused}).toEqual({failed: 0, refused: 100})
    expect(workOf(gateway)).toHaveLength(50)
  })

  test('that do not read hold no slot of a node for ever', async () => {
    const nodes = [{slots: 1, answerTokens: 200_000}]
    const gateway = await start(nodes, {slots: 1, limits: {clientStallMs: 500}})
    const {socket} = await dial(gateway)
    socket.pause()
    const body = JSON.stringify(chat)
    const head = `POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\n\r\n`
    socket.write(head + body)
    await waitFor('the node to answer', () => workOf(gateway).length === 1)
    const short = {...chat, options: {num_predict: 3}}
    const got = await ask(gateway.url, short).done
    figures('client that does not read', [got], {'slot held ms': got.totalMs})
    expect(got.ending).toBe('answered')
    expect(workOf(gateway)[0]?.outcome).toBe('cancelled')
  })

  test('that do not read the end of an answer are not kept for ever', async () => {
    // Too much for the kernel's buffers: the rest of the answer waits in the gateway.
    const answer = 'word '.repeat(1_500_000)
    const gateway = await start([{slots: 1, answer}], {slots: 1, limits: {clientStallMs: 500}})
    const {socket} = await dial(gateway)
    socket.pause()
    const body = JSON.stringify({...chat, stream: false})
    socket.write(
      `POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    await waitFor(
      'the answer',
      () => workOf(gateway)[0]?.outcome !== 'open' && workOf(gateway).length > 0,
    )
    const beganMs = performance.now()
    // An empty line says nothing to the gateway, and shows whether it is still there.
    await waitFor('the gateway to let go', () => {
      socket.write('\r\n')
      return socket.destroyed
    })
    say('client that does not read the end', {'let go after ms': performance.now() - beganMs})
  })
})

/** The median of three: a machine that has other things to do delays one of them now and then. */
async function rounds(measure: () => Promise<number>): Promise<number> {
  return quantile([await measure(), await measure(), await measure()], 0.5)
}

describe('a client that leaves', () => {
  const phases: readonly [
    string,
    FakeOptions,
    object,
    (asked: Asked, gateway: TestGateway) => unknown,
  ][] = [
    [
      'while it waits for the first byte',
      {firstTokenDelayMs: 60_000},
      chat,
      (_, {nodes}) => nodes[0]?.requests.at(-1)?.body !== undefined,
    ],
    [
      'while the model is loaded',
      {loadMs: 60_000},
      chat,
      (_, {nodes}) => nodes[0]?.requests.at(-1)?.body !== undefined,
    ],
    [
      'in the middle of a stream',
      {decodeTokensPerS: 50, answerTokens: 10_000},
      chat,
      (asked) => asked.begun(),
    ],
    [
      'while a whole answer is made',
      {decodeTokensPerS: 50, answerTokens: 10_000},
      {...chat, stream: false},
      (_, {nodes}) => nodes[0]?.requests.at(-1)?.body !== undefined,
    ],
  ]
  test.each(phases)(
    '%s frees the slot and ends the work within 100 ms',
    async (phase, behaviour, body, reached) => {
      const tookMs = await rounds(async () => {
        const gateway = await start([{slots: 1, ...behaviour}], {slots: 1})
        const asked = ask(gateway.url, body)
        await waitFor(phase, () => reached(asked, gateway))
        const waiting = ask(gateway.url, chat)
        await waitFor('another one to queue', () => gateway.hub.size === 2)
        const seen = workOf(gateway).length
        const leftMs = performance.now()
        asked.leave()
        const over = () => workOf(gateway).length > seen && gateway.nodes[0]?.cancelled === 1
        await waitFor('the cancel, and the next one to have the slot', over, {everyMs: 1})
        const ms = performance.now() - leftMs
        waiting.leave()
        await waitFor('the end', () => gateway.ended.length === 2)
        expect(gateway.ended.map(({outcome}) => outcome)).toEqual(['cancelled', 'cancelled'])
        return ms
      })
      say(`client leaves ${phase}`, {'cancelled and next sent after ms': tookMs})
      expect(tookMs).toBeLessThan(100)
    },
  )

  test('while it is queued leaves no trace at any node', async () => {
    const gateway = await start([{slots: 1, firstTokenDelayMs: 60_000}], {slots: 1})
    const running = ask(gateway.url, chat)
    const queued = Array.from({length: 10}, () => ask(gateway.url, chat))
    await waitFor('the queue', () => gateway.hub.size === 11)
    const leftMs = performance.now()
    for (const one of queued) one.leave()
    await waitFor('the queue to be empty', () => gateway.hub.size === 1, {everyMs: 1})
    say('client leaves while queued', {
      sent: 11,
      'left the queue after ms': performance.now() - leftMs,
      'asked of nodes': workOf(gateway).length,
    })
    // One look, on a machine that may be busy: what it should be is said above, ten times that is a fault.
    expect(performance.now() - leftMs).toBeLessThan(1000)
    running.leave()
    await waitFor('the end', () => gateway.hub.size === 0)
    expect(workOf(gateway)).toHaveLength(1)
  })

  test('while it sends its body leaves no trace at any node', async () => {
    const gateway = await start([{}])
    const {socket} = await dial(gateway)
    socket.write(
      'POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{"model"',
    )
    socket.destroy()
    await waitFor('the end', () => gateway.ended.length === 1)
    expect(gateway.ended[0]?.outcome).toBe('cancelled')
    expect(workOf(gateway)).toHaveLength(0)
  })

  test('in the middle of a pull ends the pull', async () => {
    const tookMs = await rounds(async () => {
      const gateway = await start([{pullable: ['fresh'], pullMs: 60_000}])
      const asked = ask(gateway.url, {model: 'fresh'}, {path: '/api/pull'})
      await asked.first
      const leftMs = performance.now()
      asked.leave()
      await waitFor('the cancel', () => gateway.nodes[0]?.cancelled === 1, {everyMs: 1})
      return performance.now() - leftMs
    })
    say('client leaves a pull', {'cancelled after ms': tookMs})
    expect(tookMs).toBeLessThan(100)
  })
})

describe('a crowd', () => {
  test('beyond the queue gets 503 with Retry-After within 10 ms', async () => {
    const gateway = await start([{slots: 1, firstTokenDelayMs: 60_000}], {
      slots: 1,
      dispatch: {queueLength: 16},
    })
    const inside = Array.from({length: 17}, () => ask(gateway.url, chat))
    await waitFor('a full queue', () => gateway.hub.size === 17)
    const all = await askMany(50, 1, () => ask(gateway.url, chat))
    const tookMs = all.map(({totalMs}) => totalMs)
    figures('queue overflow', all, {
      'p50 ms': quantile(tookMs, 0.5),
      'slowest ms': Math.max(...tookMs),
    })
    for (const {status, headers, text} of all) {
      expect(status).toBe(503)
      expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1)
      expect(JSON.parse(text)).toHaveProperty('error')
    }
    // The quicker ones: those tell what the gateway needs, the others what else this machine does.
    expect(quantile(tookMs, 0.1)).toBeLessThan(10)
    for (const one of inside) one.leave()
    await waitFor('the end', () => gateway.hub.size === 0)
  })

  test('that asks is told its places, in lines that every client can read', async () => {
    const gateway = await start([{slots: 1, decodeTokensPerS: 32, answerTokens: 16}], {slots: 1})
    const headers = {'x-ollamax-queue-status': 'true'}
    const running = ask(gateway.url, chat, {headers})
    await running.first
    const [second, third] = [0, 1].map(() => ask(gateway.url, chat, {headers}))
    const quiet = ask(gateway.url, chat)
    const all = await Promise.all([running, second, third, quiet].map((one) => one?.done))
    const lines = all.map((got) =>
      (got?.text ?? '')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    )
    const places = lines.map((one) =>
      one.filter(({status}) => status === 'queued').map((line) => line.queue_position),
    )
    say('queue status', {
      sent: 4,
      answered: all.filter((got) => got?.ending === 'answered').length,
      places: JSON.stringify(places),
    })
    expect(places).toEqual([[], [1], [2, 1], []])
    for (const line of lines.flat().filter(({status}) => status === 'queued'))
      expect(line).toMatchObject({
        done: false,
        message: {role: 'assistant', content: ''},
        expected_ms: expect.any(Number),
      })
    for (const one of lines) expect(one.at(-1)).toMatchObject({done: true})
    expect(all[3]?.headers['x-ollamax-queue-position']).toBe('3')
    expect(Number(all[3]?.headers['x-ollamax-queue-ms'])).toBeGreaterThan(900)
  })

  const keys: Guard = (request) => ({
    kind: 'admitted',
    admin: false,
    target: request.url,
    tenant: request.header('x-api-key') ?? '',
    weight: 1,
    priority: 'high',
    continues: false,
    everyModel: true,
    mayUse: () => true,
  })

  test('of one key delays another key by one turn each, not by all of the crowd', async () => {
    const gateway = await start([{slots: 1, decodeTokensPerS: 800}], {slots: 1, guard: keys})
    // A turn's length is known from here on.
    await ask(gateway.url, chat, {headers: {'x-api-key': 'few'}}).done
    const order: string[] = []
    const send = (key: string) => {
      const asked = ask(gateway.url, chat, {headers: {'x-api-key': key}})
      return asked.done.then((got) => {
        order.push(key)
        return got
      })
    }
    const crowd = Array.from({length: 60}, () => send('crowd'))
    await waitFor('the crowd to queue', () => gateway.hub.size > 50)
    const few = Array.from({length: 10}, () => send('few'))
    const all = await Promise.all([...crowd, ...few])
    const last = order.lastIndexOf('few')
    const before = order.slice(order.indexOf('few'), last).filter((key) => key === 'crowd').length
    const {failed} = figures('two keys', all, {
      'answers to the crowd between the first and last of the few': before,
    })
    expect(failed).toBe(0)
    expect(before).toBeLessThanOrEqual(12)
  })

  test('is served by priority', async () => {
    const gateway = await start([{slots: 1, decodeTokensPerS: 400, answerTokens: 100_000}], {
      slots: 1,
      guard: keys,
    })
    const running = ask(gateway.url, chat)
    await running.first
    const short = {...chat, options: {num_predict: 16}}
    const order: string[] = []
    const send = async (priority: string) => {
      const asked = ask(gateway.url, short, {headers: {'x-ollamax-priority': priority}})
      const before = gateway.hub.size
      const done = asked.done.then((got) => {
        order.push(priority)
        return got
      })
      await waitFor('it to queue', () => gateway.hub.size > before, {everyMs: 1})
      return {done}
    }
    const sent = []
    for (const priority of ['low', 'normal', 'high', 'low', 'normal', 'high'])
      sent.push(await send(priority))
    running.leave()
    const all = await Promise.all(sent.map(({done}) => done))
    const {failed} = figures('three priorities', all, {order: order.join(' ')})
    expect(failed).toBe(0)
    expect(order).toEqual(['high', 'high', 'normal', 'normal', 'low', 'low'])
  })
})
