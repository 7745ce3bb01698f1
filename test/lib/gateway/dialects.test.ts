import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {MarkerWatch} from '../../../src/lib/gateway/dialects/marker.ts'
import {problemBody, problemFrame} from '../../../src/lib/gateway/dialects/problem.ts'
import {statsOf} from '../../../src/lib/gateway/dialects/usage.ts'
import {type Call, type Dialect, dialectOf, routeOf} from '../../../src/lib/gateway/route.ts'

/** The watch's verdict on a text that comes in pieces of that many bytes. */
function endOf(dialect: Dialect, call: Call, text: string, size: number) {
  const watch = new MarkerWatch(dialect, call)
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) watch.push(bytes.subarray(at, at + size))
  return watch.end
}

const piece = (text: string) => `data: ${JSON.stringify({choices: [{delta: {content: text}}]})}\n\n`
const line = (text: string) => `${JSON.stringify({response: text, done: false})}\n`

describe('terminal markers', () => {
  const cases: [Dialect, Call, string, string][] = [
    ['ollama', 'generate', `${line('a')}{"response":"","done":true}\n`, 'whole'],
    ['ollama', 'generate', line('a'), 'cut'],
    ['openai', 'chat', 'data: {"id":"1"}\n\ndata: {"error":{}}\n\ndata: {"id":"1"}\n\n', 'error'],
    ['openai', 'chat', 'data: {"id":"1"}\n\ndata: [DONE]\n\n', 'whole'],
    ['openai', 'chat', 'data: {"id":"data: [DONE]"}\n\n', 'cut'],
    ['ollama', 'chat', `${line('a')}{"error":"unexpected EOF"}\n`, 'error'],
    ['ollama', 'generate', line('"done":true {"error"'), 'cut'],
    ['ollama', 'generate', `{"model":"m",${line('a').slice(1)}{"error":"x"}\n`, 'error'],
    ['ollama', 'generate', `{"model":"m","done":true}\n{"model":"m","done":false}\n`, 'cut'],
    ['ollama', 'chat', `{"model":"m","x":1}\n{"error":"x"}\n{"model":"m","done":false}\n`, 'error'],
    ['ollama', 'chat', '{"message":{"tool_calls":[{"a":{"done":true}}]},"done":false}\n', 'cut'],
    ['ollama', 'chat', '{"message":{"tool_calls":[{"done":false}]},"done":true}\n', 'whole'],
    ['openai', 'chat', `${piece('a')}data: [DONE]\n\n`, 'whole'],
    ['openai', 'chat', piece('a'), 'cut'],
    ['openai', 'chat', piece('data: [DONE]'), 'cut'],
    ['openai', 'chat', piece('\ndata: [DONE]\n'), 'cut'],
    ['openai', 'chat', `${piece('a')}data: {"error":{"message":"x"}}\n\n`, 'error'],
    ['openai', 'responses', 'event: response.created\n\nevent: response.completed\n\n', 'whole'],
    ['openai', 'responses', 'event: response.created\n\n', 'cut'],
    ['openai', 'responses', 'event: response.failed\ndata: {}\n\n', 'error'],
    ['openai', 'responses', 'event: error\ndata: {}\n\n', 'error'],
    ['anthropic', 'messages', 'event: message_start\n\nevent: message_stop\ndata: {}\n\n', 'whole'],
    ['anthropic', 'messages', 'event: message_start\n\n', 'cut'],
    ['anthropic', 'messages', 'event: error\ndata: {}\n\n', 'error'],
  ]
  test.each(cases)(
    '%s %s: %j ends %s, in pieces of every size',
    (dialect, call, text, expected) => {
      for (let size = 1; size <= text.length; size++)
        expect(endOf(dialect, call, text, size)).toBe(expected)
    },
  )

  test('what a model says is never taken for a marker', () => {
    const nasty = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '"done":true',
        'data: [DONE]',
        '\ndata: [DONE]',
        'event: message_stop',
        '{"error"',
      ),
    )
    fc.assert(
      fc.property(fc.array(nasty, {maxLength: 5}), fc.integer({min: 1, max: 40}), (texts, size) => {
        expect(endOf('ollama', 'generate', texts.map(line).join(''), size)).toBe('cut')
        expect(endOf('openai', 'chat', texts.map(piece).join(''), size)).toBe('cut')
        expect(endOf('anthropic', 'messages', texts.map(piece).join(''), size)).toBe('cut')
      }),
    )
  })
})

describe('counts of an answer', () => {
  const none = {pieces: 0, answerMs: 0}

  test("Ollama's last line, with a long context before the counts", () => {
    const last = JSON.stringify({
      response: 'says "eval_count":99',
      done: true,
      context: Array.from({length: 5000}, (_, at) => at),
      total_duration: 5e9,
      load_duration: 1e9,
      prompt_eval_count: 26,
      prompt_eval_duration: 2e9,
      eval_count: 290,
      eval_duration: 1.5e9,
    })
    expect(statsOf('ollama', Buffer.from(`${last}\n`), none)).toEqual({
      totalMs: 5000,
      loadMs: 1000,
      promptTokens: 26,
      promptMs: 2000,
      answerTokens: 290,
      answerMs: 1500,
    })
  })

  test('a count is read whatever stands behind it, and however it is written', () => {
    const counts: [string, number | undefined][] = [
      ['7,', 7],
      ['7}', 7],
      ['7 }', 7],
      ['12.5}', 12.5],
      ['1e3}', 1000],
      ['123456789012345678}', 123456789012345680],
      ['-3,', -3],
      ['null}', undefined],
      ['', undefined],
    ]
    for (const [text, answerTokens] of counts) {
      const told = Buffer.from(`{"done":true,"eval_count":${text}`)
      expect(statsOf('ollama', told, none)).toEqual(
        answerTokens === undefined ? {} : {answerTokens},
      )
    }
  })

  test('OpenAI and Anthropic tell counts alone; a stream shows its pace', () => {
    const usage = Buffer.from('{"usage":{"prompt_tokens":5,"completion_tokens":7}}')
    expect(statsOf('openai', usage, none)).toEqual({promptTokens: 5, answerTokens: 7})
    const stop = Buffer.from('data: [DONE]\n\n')
    expect(statsOf('openai', stop, {pieces: 40, answerMs: 800})).toEqual({
      answerTokens: 40,
      answerMs: 800,
    })
    const delta = Buffer.from('{"usage":{"input_tokens":3,"output_tokens":4}}')
    expect(statsOf('anthropic', delta, none)).toEqual({promptTokens: 3, answerTokens: 4})
  })

  test('what is not told stays unknown', () => {
    expect(statsOf('ollama', Buffer.from('{"done":true}'), none)).toEqual({})
  })
})

describe('errors', () => {
  const problem = {status: 404, message: "model 'x' not found"}

  test('each dialect has its own form', () => {
    expect(JSON.parse(problemBody('ollama', problem))).toEqual({error: problem.message})
    expect(JSON.parse(problemBody('openai', problem))).toEqual({
      error: {message: problem.message, type: 'not_found_error', param: null, code: null},
    })
    expect(JSON.parse(problemBody('anthropic', problem))).toEqual({
      type: 'error',
      error: {type: 'not_found_error', message: problem.message},
    })
  })

  test('the frame that ends a stream is one that its clients raise, and that we know again', () => {
    const calls: [Dialect, Call][] = [
      ['ollama', 'chat'],
      ['openai', 'chat'],
      ['openai', 'responses'],
      ['anthropic', 'messages'],
    ]
    for (const [dialect, call] of calls)
      expect(endOf(dialect, call, problemFrame(dialect, call, problem), 1000)).toBe('error')
  })
})

describe('routes', () => {
  test.each([
    ['GET', '/', 'own'],
    ['HEAD', '/', 'own'],
    ['HEAD', '/api/tags', 'list'],
    ['POST', '/api/chat', 'inference'],
    ['GET', '/api/chat', 'method'],
    ['DELETE', '/api/delete', 'manage'],
    ['GET', '/v1/models/library%2Fllama3', 'model'],
    ['POST', '/api/blobs/sha256:abc', 'blob'],
    ['GET', '/api/blobs/sha256:abc', 'method'],
    ['POST', '/api/blobs/a/b', 'unknown'],
    ['POST', '/api/me', 'identity'],
    ['DELETE', '/api/user/keys/k', 'identity'],
    ['POST', '/api/experimental/web_search', 'identity'],
    ['GET', '/v2/', 'registry'],
    ['HEAD', '/v2/library/x/blobs/sha256:0', 'registry'],
    ['PUT', '/v2/library/x/manifests/y', 'method'],
    ['GET', '/v2x', 'unknown'],
    ['POST', '/api/chat/', 'unknown'],
    ['POST', '/constructor', 'unknown'],
    ['constructor', '/api/chat', 'method'],
  ])('%s %s is %s', (method, path, kind) => {
    expect(routeOf(method, path).kind).toBe(kind)
  })

  test('an error is told in the dialect of the path', () => {
    const of = (path: string) => dialectOf(routeOf('POST', path), path)
    expect(of('/v1/messages')).toBe('anthropic')
    expect(of('/v1/embeddings')).toBe('openai')
    expect(of('/v1/nope')).toBe('openai')
    expect(of('/api/chat')).toBe('ollama')
  })
})
