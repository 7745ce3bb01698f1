import {afterEach, expect} from 'vitest'
import type {FakeOptions} from './fake-ollama/options.ts'
import {startGateway, type TestGateway, type TestGatewayOptions} from './gateway.ts'

/**
 * Gateways that belong to one test each; to be called once per file. At a test's end they are closed, must have
 * caught no bug of theirs, and must hold no request any more.
 */
export function gatewayHarness() {
  const open: TestGateway[] = []
  afterEach(async () => {
    for (const gateway of open.splice(0)) {
      await gateway.close()
      expect(gateway.bugs).toEqual([])
      expect(gateway.hub.size).toBe(0)
    }
  })
  return async (nodes: readonly FakeOptions[], options?: TestGatewayOptions) => {
    const gateway = await startGateway(nodes, options)
    open.push(gateway)
    return gateway
  }
}

export const post = (gateway: TestGateway, path: string, body: unknown, init: RequestInit = {}) =>
  fetch(gateway.url + path, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  })

/** The lines of an answer in Ollama's own API. */
export const linesOf = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
