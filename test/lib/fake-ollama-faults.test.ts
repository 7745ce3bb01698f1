import {expect, test} from 'vitest'
import {ask, fakeNodes, generate, json, lines, loadedOn, type Reply} from '../support/ask-node.ts'
import {waitFor} from '../support/wait-for.ts'

const start = fakeNodes()

test('one slot serves in order of arrival, and only latency shows it', async () => {
  const node = await start({decodeTokensPerS: 200, maxQueue: 1})
  await generate(node)
  const done: number[] = []
  await Promise.all(
    [1, 2, 3].map(async (n) => {
      const options = {num_predict: 10}
      const reply = await generate(node, {options, stream: false})
      expect(reply.status).toBe(200)
      done.push(n)
    }),
  )
  expect(done).toEqual([1, 2, 3])
})

test('slots run side by side', async () => {
  const node = await start({slots: 3, decodeTokensPerS: 0, fault: {kind: 'stall', afterTokens: 1}})
  const stop = new AbortController()
  const body = {model: 'tiny', prompt: 'x'}
  const all = [1, 2, 3].map(() =>
    fetch(`${node.url}/api/generate`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: stop.signal,
    }),
  )
  for (const reply of await Promise.all(all)) expect(reply.status).toBe(200)
  stop.abort()
  await waitFor('three cancels', () => node.cancelled === 3)
})

test('a model that loads is hidden from ps, loads are serial, and the queue for them is bounded', async () => {
  const node = await start({models: ['tiny', 'other'], loadMs: 120, maxQueue: 1})
  const first = generate(node, {stream: false})
  await waitFor('the first request', () => node.requests[0]?.body)
  expect(await loadedOn(node)).toEqual([])
  const second = generate(node, {model: 'other', stream: false})
  await waitFor('the second request', () => node.requests[2]?.body)
  const third = await generate(node)
  expect(third.status).toBe(503)
  expect(third.text).toBe(
    '{"error":"server busy, please try again.  maximum pending requests exceeded"}',
  )
  const waited = json(await second).load_duration as number
  expect(json(await first).load_duration).toBeGreaterThanOrEqual(119e6)
  expect(waited).toBeGreaterThanOrEqual(198e6)
  expect(await loadedOn(node)).toEqual(['other:latest', 'tiny:latest'])
})

test('who starts a load owns it: when that client leaves, the next one loads from zero', async () => {
  const node = await start({loadMs: 100})
  const stop = new AbortController()
  const body = {model: 'tiny', prompt: 'x', stream: false}
  const first = ask(node, ['POST', '/api/generate', body], {signal: stop.signal})
  await waitFor('the first request', () => node.requests[0]?.body)
  const second = generate(node, {stream: false})
  await waitFor('the second request', () => node.requests[1]?.body)
  stop.abort()
  await expect(first).rejects.toThrow()
  expect(json(await second).load_duration).toBeGreaterThanOrEqual(99e6)
  expect(node.cancelled).toBe(1)
})

test('another num_ctx reloads, an alias of the same weights does not', async () => {
  const models = [
    {name: 'tiny', blob: 'w'},
    {name: 'alias', blob: 'w'},
  ]
  const node = await start({models, loadMs: 60})
  const loadNs = async (more: object): Promise<number> =>
    json(await generate(node, {stream: false, ...more})).load_duration as number
  expect(await loadNs({})).toBeGreaterThanOrEqual(59e6)
  expect(await loadNs({model: 'alias'})).toBeLessThan(59e6)
  expect(await loadedOn(node)).toEqual(['tiny:latest'])
  expect(await loadNs({options: {num_ctx: 512}})).toBeGreaterThanOrEqual(59e6)
})

test('the least recently wanted model makes room, and keep_alive 0 unloads', async () => {
  const node = await start({models: ['a', 'b', 'c'], maxLoaded: 2})
  await generate(node, {model: 'a', keep_alive: '10s'})
  await generate(node, {model: 'b', keep_alive: -1})
  await generate(node, {model: 'c'})
  expect(await loadedOn(node)).toEqual(['b:latest', 'c:latest'])
  const off = json(await generate(node, {model: 'b', prompt: '', keep_alive: 0}))
  expect(off).toMatchObject({done: true, done_reason: 'unload', response: ''})
  expect(await loadedOn(node)).toEqual(['c:latest'])
  const on = json(await generate(node, {model: 'a', prompt: ''}))
  expect(on).toMatchObject({done: true, done_reason: 'load'})
  await generate(node, {model: 'c', keep_alive: '30ms'})
  await waitFor('c to expire', async () => (await loadedOn(node)).join() === 'a:latest')
})

test('a known prompt costs no evaluation, though its tokens are counted', async () => {
  const node = await start({prefixCache: true, prefillTokensPerS: 100})
  const prompt = 'word '.repeat(10)
  const [cold, warm] = [
    json(await generate(node, {prompt, stream: false})),
    json(await generate(node, {prompt, stream: false})),
  ] as Record<string, number>[]
  expect(warm?.prompt_eval_count).toBe(cold?.prompt_eval_count)
  expect(warm?.prompt_eval_duration).toBeLessThan((cold?.prompt_eval_duration ?? 0) / 2)
})

test('faults before a header: refused, reset, a status, and inference that hangs while tags answer', async () => {
  const node = await start()
  await node.set({fault: {kind: 'refuse'}})
  await expect(generate(node)).rejects.toMatchObject({code: 'ECONNREFUSED'})
  await node.set({fault: {kind: 'reset', times: 1}})
  await expect(generate(node)).rejects.toMatchObject({code: 'ECONNRESET'})
  expect((await generate(node)).status).toBe(200)
  for (const status of [500, 503, 429, 404]) {
    await node.set({fault: {kind: 'status', status}})
    const reply = await generate(node)
    expect(reply.status).toBe(status)
    expect(json(reply).error).toBeTypeOf('string')
  }
  await node.set({fault: {kind: 'hang', on: 'inference'}})
  expect((await ask(node, ['GET', '/api/tags'])).status).toBe(200)
  const hung = ask(node, ['POST', '/api/generate', {model: 'tiny', prompt: 'x'}], {
    signal: AbortSignal.timeout(100),
  })
  await expect(hung).rejects.toThrow()
  await node.set({fault: null})
  expect((await generate(node)).status).toBe(200)
})

test('faults in mid-stream: RST, no last chunk, a clean end without done, the error line, garbage', async () => {
  const node = await start({models: ['tiny']})
  const cut = async (how: 'rst' | 'fin' | 'clean' | 'error-line'): Promise<Reply> => {
    await node.set({fault: {kind: 'cut', afterTokens: 2, how}})
    return await generate(node)
  }
  for (const how of ['rst', 'fin'] as const) {
    const reply = await cut(how)
    expect(reply.whole).toBe(false)
    expect(lines(reply)).toHaveLength(2)
  }
  const clean = await cut('clean')
  expect(clean.whole).toBe(true)
  expect(lines(clean).map((l) => l.done)).toEqual([false, false])
  const dead = await cut('error-line')
  expect(dead).toMatchObject({whole: true, status: 200})
  expect(lines(dead).at(-1)).toEqual({
    error: 'an error was encountered while running the model: unexpected EOF',
  })
  expect(await loadedOn(node)).toEqual([])
  await node.set({fault: {kind: 'garbage', afterTokens: 1}})
  const garbage = (await generate(node)).text.split('\n')
  expect(() => JSON.parse(garbage[1] ?? '')).toThrow()
  expect(JSON.parse(garbage.at(-2) ?? '')).toMatchObject({done: true})
})

test('a client that leaves in mid-stream is counted, and frees the slot', async () => {
  const node = await start({fault: {kind: 'stall', afterTokens: 1, times: 1}})
  const reply = await fetch(`${node.url}/api/generate`, {
    method: 'POST',
    body: '{"model":"tiny","prompt":"x"}',
  })
  await reply.body?.cancel()
  await waitFor('the cancel', () => node.cancelled === 1)
  expect(node.requests[0]?.outcome).toBe('cancelled')
  expect((await generate(node)).status).toBe(200)
})
