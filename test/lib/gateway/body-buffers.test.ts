import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {BodyBuffers} from '../../../src/lib/gateway/body/body-buffers.ts'
import {gatewayHarness} from '../../support/gateway-harness.ts'
import {ask} from '../../support/load.ts'

describe('memory for bodies', () => {
  test('is never in two hands at once, whatever is taken and given back in which order', () => {
    const step = fc.oneof(fc.integer({min: 1, max: 3_000_000}), fc.constant(-1), fc.constant(-2))
    fc.assert(
      fc.property(fc.array(step, {maxLength: 30}), (steps) => {
        const buffers = new BodyBuffers()
        const held: Buffer[] = []
        const given: Buffer[] = []
        for (const [at, size] of steps.entries()) {
          if (size > 0) {
            const taken = buffers.take(size)
            expect(taken).toHaveLength(size)
            held.push(taken)
          } else if (size === -2) {
            // Given back a second time: no effect.
            for (const again of given) buffers.give(again)
          } else {
            const back = held.shift()
            if (back) given.push(back)
            if (back) buffers.give(back)
          }
          for (const [owner, body] of held.entries()) body.writeUInt8(owner + 1, 0)
          for (const [owner, body] of held.entries())
            expect(body.readUInt8(0), `step ${at}`).toBe(owner + 1)
        }
      }),
      {numRuns: 50},
    )
  })

  test('is used again', () => {
    const buffers = new BodyBuffers()
    const first = buffers.take(100_000)
    buffers.give(first)
    expect(buffers.take(120_000).buffer).toBe(first.buffer)
  })
})

describe('large bodies at once', () => {
  const start = gatewayHarness()
  const prompt = (id: number) => `${id} `.repeat(20_000 + id * 97)

  test('reach the nodes as they were sent, also those that are asked again after a failure', async () => {
    const gateway = await start([
      {},
      {fault: {kind: 'status', status: 500, times: 8, on: 'inference'}},
    ])
    const ids = Array.from({length: 80}, (_, id) => id)
    const next = async (): Promise<void> => {
      const id = ids.pop()
      if (id === undefined) return
      const body = {model: 'tiny', stream: id % 2 === 0, prompt: prompt(id)}
      const {ending} = await ask(gateway.url, body, {path: '/api/generate'}).done
      expect(ending).toBe('answered')
      return next()
    }
    await Promise.all(Array.from({length: 8}, next))
    const got = gateway.nodes.flatMap(({requests}) =>
      requests.flatMap(({path, body}) =>
        path === '/api/generate' && body ? [String(body.prompt)] : [],
      ),
    )
    expect(got.length).toBeGreaterThanOrEqual(80)
    for (const text of got) expect(text === prompt(Number.parseInt(text, 10))).toBe(true)
  })
})
