import {beforeAll, describe, expect, test, vi} from 'vitest'
import {sharedLibrary, testEngines, textOf} from '../../support/engine.ts'
import {waitFor} from '../../support/wait-for.ts'

// Each test loads a model in a process of its own, on machines that do much else.
vi.setConfig({testTimeout: 90_000})
const start = testEngines()
beforeAll(sharedLibrary, 300_000)

const GREEDY = {temperature: 0, num_predict: 12}

describe('answers', () => {
  test('generate streams lines and ends with the real counts and times in nanoseconds', async () => {
    const engine = await start()
    const reply = await engine.post('/api/generate', {
      model: 'tiny',
      prompt: 'hello',
      options: {...GREEDY},
    })
    expect(reply.headers.get('content-type')).toBe('application/x-ndjson')
    const lines = (await reply.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    const last = lines.at(-1) as Record<string, number> & {context: number[]}
    expect(lines.slice(0, -1).every((line) => line.done === false && line.model === 'tiny')).toBe(
      true,
    )
    // <s>, then "▁" and the five letters: the tokenizer's own count.
    expect(last).toMatchObject({
      done: true,
      done_reason: 'length',
      prompt_eval_count: 7,
      eval_count: 12,
    })
    expect(last.context).toHaveLength(19)
    for (const name of ['load_duration', 'prompt_eval_duration', 'eval_duration'] as const) {
      expect(Number.isInteger(last[name])).toBe(true)
      expect(last[name]).toBeGreaterThan(0)
      expect(last[name]).toBeLessThan(last.total_duration ?? 0)
    }
  })

  test('chat answers in messages, through the chat template of the model file', async () => {
    const chatTemplate =
      '{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}{% if add_generation_prompt %}a{% endif %}'
    const engine = await start({chatTemplate})
    const messages = [{role: 'user', content: 'abc'}]
    const last = await engine.json('/api/chat', {
      model: 'tiny',
      messages,
      stream: false,
      options: GREEDY,
    })
    // "user:abc;a" with "er" as one token is 9; with <s> and "▁" 11.
    expect(last).toMatchObject({done: true, prompt_eval_count: 11, message: {role: 'assistant'}})
    const raw = await engine.json('/api/generate', {
      model: 'tiny',
      prompt: 'user:abc;a',
      raw: true,
      stream: false,
      options: GREEDY,
    })
    expect(raw.response).toBe((last.message as {content: string}).content)
  })

  test('the same seed gives the same text, whatever was asked before; another one another text', async () => {
    const engine = await start()
    const say = async (seed: number) =>
      textOf(
        await engine.lines('/api/generate', {
          model: 'tiny',
          prompt: 'hello there',
          options: {seed, num_predict: 24},
        }),
      )
    const first = await say(7)
    const other = await say(8)
    expect(await say(7)).toBe(first)
    expect(other).not.toBe(first)
  })

  test('a stop string ends the text before it', async () => {
    const engine = await start()
    const ask = {model: 'tiny', prompt: 'abc', options: {temperature: 0, num_predict: 30}}
    const whole = textOf(await engine.lines('/api/generate', ask))
    const stop = whole.slice(5, 9)
    const lines = await engine.lines('/api/generate', {
      ...ask,
      options: {...ask.options, stop: [stop]},
    })
    expect(textOf(lines)).toBe(whole.slice(0, whole.indexOf(stop)))
    expect(lines.at(-1)).toMatchObject({done_reason: 'stop'})
  })

  test('a JSON schema is kept, and the answer ends with the value', async () => {
    const engine = await start()
    const format = {
      type: 'object',
      properties: {colour: {enum: ['red', 'green']}, dark: {type: 'boolean'}},
      required: ['colour', 'dark'],
    }
    const answer = await engine.json('/api/generate', {
      model: 'tiny',
      prompt: 'x',
      stream: false,
      format,
      options: {seed: 3},
    })
    expect(answer.done_reason).toBe('stop')
    const value = JSON.parse(answer.response as string) as {colour: string; dark: boolean}
    expect(['red', 'green']).toContain(value.colour)
    expect(typeof value.dark).toBe('boolean')
  })

  test('a schema that cannot be used is the caller’s mistake', async () => {
    const engine = await start()
    const reply = await engine.post('/api/generate', {
      model: 'tiny',
      prompt: 'x',
      format: {type: 'object', properties: {a: {$ref: '#/nowhere'}}},
    })
    expect(reply.status).toBe(400)
  })

  test('a prompt longer than the context loses its beginning', async () => {
    const engine = await start()
    const prompt = 'hello '.repeat(400)
    const answer = await engine.json('/api/generate', {
      model: 'tiny',
      prompt,
      stream: false,
      options: GREEDY,
    })
    expect(answer.prompt_eval_count).toBeLessThan(512)
    expect(answer.done).toBe(true)
  })

  test('embed gives unit vectors of the model’s width, the same for the same text', async () => {
    const engine = await start({pooling: 1})
    const {embeddings, prompt_eval_count: count} = (await engine.json('/api/embed', {
      model: 'tiny',
      input: ['the sea', 'a road', 'the sea'],
    })) as {embeddings: number[][]; prompt_eval_count: number}
    expect(embeddings.map((vector) => vector.length)).toEqual([64, 64, 64])
    expect(embeddings[0]).toEqual(embeddings[2])
    expect(embeddings[0]).not.toEqual(embeddings[1])
    expect(Math.hypot(...(embeddings[0] ?? []))).toBeCloseTo(1, 5)
    expect(count).toBeGreaterThan(0)
    expect(await engine.json('/api/embed', {model: 'tiny', input: ''})).toMatchObject({
      embeddings: [],
    })
    const chat = await engine.post('/api/generate', {model: 'tiny', prompt: 'x'})
    expect(chat.status).toBe(400)
    expect(await chat.json()).toEqual({error: '"tiny" does not support chat|generate'})
  })

  test('embed on a model for text is 501', async () => {
    const engine = await start()
    expect((await engine.post('/api/embed', {model: 'tiny', input: 'x'})).status).toBe(501)
  })
})

describe('the model in memory', () => {
  test('is loaded by the first request, shown by ps, and goes when its time is over', async () => {
    const engine = await start()
    expect(await engine.json('/api/ps')).toEqual({models: []})
    expect(await engine.json('/api/generate', {model: 'tiny', keep_alive: -1})).toMatchObject({
      done_reason: 'load',
    })
    expect(await engine.json('/api/ps')).toMatchObject({
      models: [{name: 'tiny:latest', context_length: 512, expires_at: '2319-01-01T00:00:00Z'}],
    })
    const pid = engine.runner.loaded?.pid ?? 0
    await engine.json('/api/generate', {model: 'tiny', prompt: 'x', stream: false, keep_alive: 0})
    await waitFor('the unload', async () => engine.runner.loaded === undefined && !isAlive(pid))
    expect(await engine.json('/api/ps')).toEqual({models: []})
  })

  test('is loaded again for another context size, and not for the same', async () => {
    const engine = await start()
    const load = async (num_ctx: number) => {
      await engine.json('/api/generate', {model: 'tiny', options: {num_ctx}})
      return engine.runner.loaded
    }
    const small = await load(256)
    expect((await load(256))?.pid).toBe(small?.pid)
    const large = await load(1024)
    expect(large?.pid).not.toBe(small?.pid)
    expect(large?.numCtx).toBe(1024)
    // More than the model was trained for is clamped, as Ollama does.
    expect((await load(1e6))?.numCtx).toBe(2048)
  })

  test('that dies in mid-answer costs that answer only', async () => {
    const engine = await start({contextLength: 60_000})
    const reply = await engine.post('/api/generate', {
      model: 'tiny',
      prompt: 'x',
      options: {num_ctx: 60_000, seed: 1},
    })
    // Without a number all processes of the tests would be meant.
    const {pid} = engine.runner.loaded ?? {}
    if (!pid) throw new Error('no model is loaded')
    process.kill(pid, 'SIGKILL')
    const lines = (await reply.text()).trimEnd().split('\n')
    expect(JSON.parse(lines.at(-1) ?? '')).toEqual({
      error: 'an error was encountered while running the model: unexpected EOF',
    })
    const next = await engine.json('/api/generate', {
      model: 'tiny',
      prompt: 'x',
      stream: false,
      options: GREEDY,
    })
    expect(next).toMatchObject({done: true, eval_count: 12})
  })

  test('of a broken file aborts its own process, is named, and is not tried in a loop', async () => {
    const engine = await start({broken: true})
    const first = await engine.post('/api/generate', {model: 'tiny', prompt: 'x'})
    expect(first.status).toBe(500)
    const {error} = (await first.json()) as {error: string}
    expect(error).toMatch(/cannot load the model file tiny\.gguf .*SIGABRT.*GGML_ASSERT/)
    const second = await engine.json('/api/generate', {model: 'tiny', prompt: 'x'})
    expect(second.error).toMatch(/tries again in \d+ s/)
    expect(await engine.json('/api/version')).toEqual({version: '0.0.0-test'})
  })
})

describe('one after the other', () => {
  test('a client that leaves ends its answer, and the next one is served', async () => {
    // Long enough that the second would wait past the test's time if the first went on.
    const engine = await start({contextLength: 200_000})
    const stop = new AbortController()
    const options = {num_ctx: 200_000, seed: 1}
    const reply = await engine.post(
      '/api/generate',
      {model: 'tiny', prompt: 'x', options},
      {signal: stop.signal},
    )
    await reply.body?.getReader().read()
    stop.abort()
    const next = await engine.json('/api/generate', {
      model: 'tiny',
      prompt: 'y',
      stream: false,
      options: {...options, num_predict: 3},
    })
    expect(next).toMatchObject({done: true, eval_count: 3})
  })

  test('more than may wait are refused at once with Ollama’s words', async () => {
    const engine = await start({contextLength: 60_000})
    const options = {num_ctx: 60_000, seed: 1}
    const stop = new AbortController()
    const long = await engine.post(
      '/api/generate',
      {model: 'tiny', prompt: 'x', options},
      {signal: stop.signal},
    )
    const short = {model: 'tiny', prompt: 'y', stream: false, options: {...options, num_predict: 1}}
    const waiting = [engine.post('/api/generate', short), engine.post('/api/generate', short)]
    const refused = await waitFor('a refusal', async () => {
      const gone = AbortSignal.timeout(300)
      const reply = await engine.post('/api/generate', short, {signal: gone}).catch(() => undefined)
      return reply?.status === 503 && reply
    })
    expect(await refused.json()).toEqual({
      error: 'server busy, please try again.  maximum pending requests exceeded',
    })
    stop.abort()
    await long.text().catch(() => undefined)
    for (const reply of await Promise.all(waiting)) expect(reply.status).toBe(200)
  })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
