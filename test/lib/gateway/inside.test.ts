import {expect, test} from 'vitest'
import type {Recording} from '../../../src/lib/cluster/recording.ts'
import type {DecisionRecord, RoutePlan} from '../../../src/lib/cluster/routing.ts'
import {type Guard, openGuard} from '../../../src/lib/gateway/guard.ts'
import type {FakeOptions} from '../../support/fake-ollama/options.ts'
import type {TestGateway} from '../../support/gateway.ts'
import {gatewayHarness, post as send} from '../../support/gateway-harness.ts'

const open = gatewayHarness()
const start = (nodes: readonly FakeOptions[], guard?: Guard) => open(nodes, guard ? {guard} : {})

const post = (gateway: TestGateway, path: string, body: unknown, headers = {}) =>
  send(gateway, path, body, {headers})
const explain = async (gateway: TestGateway, body: unknown, headers = {}) =>
  (await (await post(gateway, '/ollamax/v1/explain', body, headers)).json()) as RoutePlan
const page = async (gateway: TestGateway, path: string) => (await fetch(gateway.url + path)).json()

/** Lets everybody in who may use this model alone. */
const only =
  (allowed: string): Guard =>
  (request) => ({
    ...openGuard(request),
    everyModel: false,
    mayUse: (model) => model === allowed || model === `${allowed}:latest`,
  })

test('explain tells the table, the sum of its terms, and why others cannot; nothing is sent to a node', async () => {
  const gateway = await start([
    {models: ['tiny', 'other']},
    {models: ['other']},
    {fault: {kind: 'status', status: 500, on: 'all'}},
  ])
  const plan = await explain(gateway, {model: 'tiny', prompt: 'x'.repeat(4000)})
  expect(plan).toMatchObject({model: 'tiny', policy: 'expected-time'})
  expect(plan.promptTokens).toBeGreaterThan(500)
  expect(plan.candidates.map(({node, residency}) => [node, residency])).toEqual([['n1', 'cold']])
  for (const one of plan.candidates) {
    const {waitMs, loadMs, promptMs, answerMs, networkMs, riskMs, harmMs, totalMs} = one
    const sum = waitMs + loadMs + promptMs + answerMs + networkMs + riskMs + harmMs
    expect(Math.abs(totalMs - sum)).toBeLessThan(0.1)
  }
  expect(plan.candidates[0]?.guessed).toEqual(['load', 'prompt', 'answer'])
  expect(plan.excluded.map(({node, reason}) => [node, reason])).toEqual([
    ['n2', 'no-model'],
    ['n3', 'down'],
  ])
  for (const {requests} of gateway.nodes)
    expect(requests.filter(({method}) => method === 'POST')).toEqual([])
})

test('the request goes where explain said that it would', async () => {
  const gateway = await start([{}, {}, {}])
  for (let at = 0; at < 6; at++) {
    const body = {model: 'tiny', prompt: `hi ${at}`, stream: false}
    const {candidates} = await explain(gateway, body, {'x-ollamax-policy': 'round-robin'})
    const reply = await post(gateway, '/api/generate', body, {'x-ollamax-policy': 'round-robin'})
    await reply.arrayBuffer()
    // Where nothing was used yet, the first three are equal and chance decides.
    if (at >= 3) expect(reply.headers.get('x-ollamax-node')).toBe(candidates[0]?.node)
  }
})

test('explain knows a chat, a generate and an embed apart, and obeys the headers', async () => {
  const vectors = {name: 'tiny', capabilities: ['completion', 'embedding']}
  const gateway = await start([{}, {models: [vectors]}])
  const chat = {model: 'tiny', messages: [{role: 'user', content: 'hi'}]}
  expect((await explain(gateway, chat)).candidates).toHaveLength(2)
  expect((await explain(gateway, {model: 'tiny'})).candidates).toHaveLength(2)
  const embed = await explain(gateway, {model: 'tiny', input: 'hi'})
  expect(embed.candidates.map(({node}) => node)).toEqual(['n2'])
  expect(embed.excluded).toMatchObject([{node: 'n1', reason: 'unable'}])
  const one = await explain(gateway, chat, {'x-ollamax-node': 'n2'})
  expect(one.candidates.map(({node}) => node)).toEqual(['n2'])
  const named = await explain(gateway, chat, {'x-ollamax-policy': 'latency'})
  expect(named.policy).toBe('latency')
})

test('a model that nobody has is explained too', async () => {
  const gateway = await start([{}])
  expect(await explain(gateway, {model: 'none', prompt: 'x'})).toMatchObject({
    candidates: [],
    excluded: [{node: 'n1', reason: 'no-model'}],
  })
})

test.each([
  ['', 400],
  ['[]', 400],
  ['{"model": 7}', 400],
  ['{"model": "tiny", "Model": "other"}', 400],
  ['{"prompt": "x"}', 400],
  ['{"model": "big:cloud"}', 403],
])('explain of %j is an error with status %i', async (body, status) => {
  const gateway = await start([{}])
  const reply = await post(gateway, '/ollamax/v1/explain', body)
  expect(reply.status).toBe(status)
  expect(await reply.json()).toHaveProperty('error')
})

test('decisions tell what became of each inference, and of nothing else', async () => {
  const gateway = await start([{models: ['tiny']}])
  const done = await post(gateway, '/api/generate', {model: 'tiny', prompt: 'hi'})
  await done.text()
  await page(gateway, '/api/tags')
  await explain(gateway, {model: 'tiny'})
  expect((await post(gateway, '/api/chat', {model: 'none', messages: []})).status).toBe(404)
  const {decisions} = (await page(gateway, '/ollamax/v1/decisions')) as {
    decisions: DecisionRecord[]
  }
  expect(decisions.map(({route, model, outcome}) => [route, model, outcome])).toEqual([
    ['/api/chat', 'none:latest', 'caller'],
    ['/api/generate', 'tiny:latest', 'ok'],
  ])
  expect(decisions[1]).toMatchObject({
    id: done.headers.get('x-ollamax-request-id'),
    node: 'n1',
    attempts: 1,
    answerTokens: 16,
    status: 200,
    reason: done.headers.get('x-ollamax-reason'),
  })
  expect(Math.abs(Date.parse(decisions[1]?.at ?? '') - Date.now())).toBeLessThan(10_000)
  expect(await page(gateway, '/ollamax/v1/decisions?limit=1')).toEqual({
    decisions: [decisions[0]],
  })
})

test('a recording has what was learned of the nodes, and what each request asked for', async () => {
  const gateway = await start([{decodeTokensPerS: 200, loadMs: 300}, {models: ['other']}])
  const options = {num_ctx: 8192, num_predict: 9}
  const body = {model: 'tiny', prompt: 'why is the sky blue '.repeat(60), options}
  const headers = {'x-ollamax-session': 'alice', 'x-ollamax-priority': 'low'}
  await (await post(gateway, '/api/generate', body, headers)).text()
  const {version, nodes, requests} = (await page(gateway, '/ollamax/v1/recording')) as Recording
  expect(version).toBe(1)
  expect(nodes.map(({node}) => node)).toEqual(['n1', 'n2'])
  expect(nodes[0]?.replicas).toMatchObject([{model: 'tiny:latest', loaded: true}])
  const {answerTps, loadMs, contextLength} = nodes[0]?.replicas[0] ?? {}
  expect(answerTps).toBeGreaterThan(0)
  // A timer may end a moment before its time.
  expect(loadMs).toBeGreaterThan(290)
  expect(contextLength).toBe(8192)
  expect(requests).toMatchObject([
    {
      ...{model: 'tiny:latest', node: 'n1', outcome: 'ok', answerTokens: 9},
      asked: {session: 's1', priority: 'low', numCtx: 8192, maxAnswerTokens: 9, prefix: [1, 2]},
    },
  ])
})

test('fleet tells each node as it was read and as the balancer sees it', async () => {
  const gateway = await start([
    {models: ['tiny', 'other']},
    {fault: {kind: 'status', status: 500, on: 'all'}},
  ])
  await (await post(gateway, '/api/generate', {model: 'tiny', prompt: 'hi'})).text()
  expect(await page(gateway, '/ollamax/v1/fleet')).toMatchObject({
    nodes: [
      {
        name: 'n1',
        state: 'up',
        inFlight: 0,
        breaker: 'closed',
        version: '0.33.0',
        models: [{name: 'tiny:latest'}, {name: 'other:latest'}],
      },
      {name: 'n2', state: 'down', code: 'NODE_ERROR'},
    ],
    requests: 1,
    retries: 0,
  })
})

test('who may use one model sees nothing of others', async () => {
  const gateway = await start([{models: ['tiny', 'secret']}], only('tiny'))
  const refused = await post(gateway, '/ollamax/v1/explain', {model: 'secret', prompt: 'x'})
  expect(refused.status).toBe(403)
  expect((await explain(gateway, {model: 'tiny'})).candidates).toHaveLength(1)
  await (await post(gateway, '/api/generate', {model: 'secret', prompt: 'x'})).text()
  await (await post(gateway, '/api/generate', {model: 'tiny', prompt: 'x'})).text()
  for (const path of ['/ollamax/v1/decisions', '/ollamax/v1/recording', '/ollamax/v1/fleet']) {
    const text = JSON.stringify(await page(gateway, path))
    expect(text).toContain('tiny')
    expect(text).not.toContain('secret')
  }
})

test('who may only use the gateway gets none of the pages, and hears what key it takes', async () => {
  const gateway = await start([{}, {fault: {kind: 'refuse'}}], (request) => ({
    ...openGuard(request),
    admin: false,
  }))
  const replies = [
    await fetch(`${gateway.url}/ollamax/v1/decisions`),
    await fetch(`${gateway.url}/ollamax/v1/fleet`),
    await post(gateway, '/ollamax/v1/explain', {model: 'tiny', prompt: 'x'}),
  ]
  for (const reply of replies) {
    expect(reply.status).toBe(403)
    const text = await reply.text()
    expect(text).toContain('ollamax key create NAME --admin')
    expect(text).not.toContain('n2')
  }
})

test('why a node does not take what goes past the queue is told to who may see it alone', async () => {
  // A fresh one each time: once it has failed, a node is known to be down, and nobody is asked.
  for (const admin of [true, false])
    for (const path of ['/api/show', '/api/pull']) {
      const gateway = await start([{}], (request) => ({...openGuard(request), admin}))
      await gateway.nodes[0]?.set({fault: {kind: 'refuse'}})
      const why = admin ? 'nothing listens there' : 'could not be reached'
      const reply = await post(gateway, path, {model: 'tiny'})
      expect(reply.status).toBe(502)
      expect(await reply.text()).toContain(`node n1: ${admin ? 'cannot connect: ' : ''}${why}`)
    }
})

test('who is not let in gets none of the pages', async () => {
  const closed: Guard = (request) => ({
    kind: 'refused',
    target: request.url ?? '/',
    problem: {status: 401, message: 'a key is needed'},
  })
  const gateway = await start([{}], closed)
  for (const path of ['decisions', 'recording', 'fleet'])
    expect((await fetch(`${gateway.url}/ollamax/v1/${path}`)).status).toBe(401)
  expect((await post(gateway, '/ollamax/v1/explain', {model: 'tiny'})).status).toBe(401)
})
