import {expect, test} from 'vitest'
import {type Guard, openGuard} from '../../../src/lib/gateway/guard.ts'
import {gatewayHarness, post} from '../../support/gateway-harness.ts'

const start = gatewayHarness()
const aliases = {fast: 'tiny', 'small:1b': 'tiny:latest', gone: 'nobody-has-it'}
const json = async (url: string) => JSON.parse(await (await fetch(url)).text())
const messages = [{role: 'user', content: 'hi'}]

test.each([
  ['/api/chat', {messages}],
  ['/api/generate', {prompt: 'hi', options: {num_predict: 3}}],
  ['/v1/chat/completions', {messages}],
  ['/v1/completions', {prompt: 'hi'}],
  ['/v1/responses', {input: 'hi'}],
  ['/v1/messages', {messages, max_tokens: 9}],
])('%s: an alias is asked for as the model that it means', async (path, body) => {
  const gateway = await start([{}], {aliases})
  for (const model of ['fast', 'FAST:latest', 'small:1b', 'tiny']) {
    const reply = await post(gateway, path, {...body, model, stream: false})
    expect([reply.status, model]).toEqual([200, model])
    const asked = gateway.nodes[0]?.requests.findLast((one) => one.path === path)?.body
    expect(String(asked?.model)).toMatch(/^tiny(:latest)?$/)
    await reply.text()
  }
})

test('an alias of a model that no node has is told by the name of that model', async () => {
  const gateway = await start([{}], {aliases})
  const reply = await post(gateway, '/api/generate', {model: 'gone', prompt: 'hi'})
  expect([reply.status, await reply.text()]).toEqual([
    404,
    expect.stringContaining('nobody-has-it'),
  ])
})

test('aliases are listed and shown as their models are', async () => {
  const gateway = await start([{}], {aliases})
  const {models} = await json(`${gateway.url}/api/tags`)
  const digests = new Map(
    models.map((one: {name: string; digest: string}) => [one.name, one.digest]),
  )
  expect([...digests.keys()].sort()).toEqual(['fast', 'small:1b', 'tiny:latest'])
  expect(digests.get('fast')).toBe(digests.get('tiny:latest'))
  const {data} = await json(`${gateway.url}/v1/models`)
  expect(data.map(({id}: {id: string}) => id)).toContain('fast')
  expect((await json(`${gateway.url}/v1/models/fast`)).id).toBe('fast')
  for (const field of ['model', 'name', 'Model']) {
    const shown = await post(gateway, '/api/show', {[field]: 'fast'})
    expect([shown.status, field]).toEqual([200, field])
    await shown.text()
  }
})

test('who may not use the model gets nothing by its alias', async () => {
  const guard: Guard = (request) => ({
    ...openGuard(request),
    mayUse: (model) => model !== 'tiny' && model !== 'tiny:latest',
  })
  const gateway = await start([{}], {aliases, guard})
  const reply = await post(gateway, '/api/generate', {model: 'fast', prompt: 'hi'})
  expect(reply.status).toBe(403)
  expect((await post(gateway, '/api/show', {model: 'fast'})).status).toBe(403)
  expect(await json(`${gateway.url}/api/tags`)).toEqual({models: []})
})
