import {expect, test} from 'vitest'
import {gatewayHarness} from '../../support/gateway-harness.ts'
import {ask, figures} from '../../support/load.ts'

// One client's mistake is no other client's.

const start = gatewayHarness()
const plain = {model: 'tiny', prompt: 'hi', stream: false}

test.each([
  ['a context that is no number', {model: 'tiny', prompt: 'x', options: {num_ctx: 'big'}}],
  ['a context without end', '{"model":"tiny","prompt":"x","options":{"num_ctx":1e999}}'],
  ['a context below nothing', {model: 'tiny', prompt: 'x', options: {num_ctx: -5}}],
  ['half a context', {model: 'tiny', prompt: 'x', options: {num_ctx: 0.5}}],
  ['a small context and a mistake', {model: 'tiny', prompt: 'x', format: 5, options: {num_ctx: 8}}],
])('%s changes nothing for others', async (what, mistake) => {
  const gateway = await start([{}])
  const path = '/api/generate'
  const made = await ask(gateway.url, mistake, {path}).done
  const after = await Promise.all([1, 2, 3].map(() => ask(gateway.url, plain, {path}).done))
  const contexts = (gateway.nodes[0]?.requests ?? [])
    .filter(({path: at, body}) => at === path && body?.stream === false)
    .map(({body}) => (body?.options as {num_ctx?: number} | undefined)?.num_ctx ?? 4096)
  figures(what, after, {'status of the mistake': made.status, contexts: contexts.join(' ')})
  for (const {ending} of after) expect(ending).toBe('answered')
  expect(contexts).toEqual([4096, 4096, 4096])
})

test('a node whose Ollama is too old for an API stays well for what it can do', async () => {
  const gateway = await start([{}])
  const {nodes} = gateway
  await nodes[0]?.set({fault: {kind: 'status', status: 404, error: '404 page not found'}})
  const many = await Promise.all(
    [1, 2, 3, 4, 5].map(() => ask(gateway.url, plain, {path: '/api/generate'}).done),
  )
  await nodes[0]?.set({fault: null})
  const after = await ask(gateway.url, plain, {path: '/api/generate'}).done
  figures('Ollama too old for this API', [...many, after])
  for (const got of many) expect(got.status).toBe(404)
  expect(after.ending).toBe('answered')
})
