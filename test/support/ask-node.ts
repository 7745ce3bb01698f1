import {request} from 'node:http'
import {afterEach} from 'vitest'
import type {FakeOptions} from './fake-ollama/options.ts'
import {type FakeOllama, startFakeOllama} from './fake-ollama.ts'

/** Gives a function that starts stand-in nodes which end with the test. */
export function fakeNodes(): (options?: FakeOptions) => Promise<FakeOllama> {
  const open: FakeOllama[] = []
  afterEach(async () => {
    for (const node of open.splice(0)) await node.close()
  })
  return async (options = {}) => {
    const node = await startFakeOllama(options)
    open.push(node)
    return node
  }
}

/** A whole answer, or as much of it as came. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  /** How the answer ended: by its last chunk, or cut. */
  readonly whole: boolean
}

/** One request on a connection of its own. */
export function ask(
  node: FakeOllama,
  [method, path, body]: readonly [string, string, unknown?],
  options: {headers?: Record<string, string>; signal?: AbortSignal} = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const req = request(`${node.url}${path}`, {method, agent: false, ...options}, (res) => {
      let text = ''
      const end = (whole: boolean): void =>
        resolve({status: res.statusCode ?? 0, headers: res.headers, text, whole})
      res.setEncoding('utf8')
      res.on('data', (chunk: string) => {
        text += chunk
      })
      res.on('end', () => end(true))
      res.on('error', () => end(false))
    })
    // After the header, a reset is an error of the request and of the answer; the latter resolves.
    req.on('error', reject)
    req.on('response', () => req.off('error', reject).on('error', () => {}))
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    if (text) req.setHeader('Content-Length', Buffer.byteLength(text))
    req.end(text)
  })
}

export const lines = (reply: Reply): Record<string, unknown>[] =>
  reply.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
export const json = (reply: Reply): Record<string, unknown> => JSON.parse(reply.text)
export const generate = (node: FakeOllama, more: Record<string, unknown> = {}): Promise<Reply> =>
  ask(node, ['POST', '/api/generate', {model: 'tiny', prompt: 'hi', ...more}])
export const loadedOn = async (node: FakeOllama): Promise<string[]> =>
  (json(await ask(node, ['GET', '/api/ps'])).models as {name: string}[]).map((m) => m.name)
