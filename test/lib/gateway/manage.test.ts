import {describe, expect, test} from 'vitest'
import {gatewayHarness, linesOf, post} from '../../support/gateway-harness.ts'
import {waitFor} from '../../support/wait-for.ts'

const start = gatewayHarness()

describe('management', () => {
  test('show asks a node that has the model; delete and copy go to all that have it', async () => {
    const gateway = await start([{models: ['a', 'b']}, {models: ['a']}, {models: ['c']}])
    const shown = await post(gateway, '/api/show', {name: 'b'})
    expect(shown.headers.get('x-ollamax-node')).toBe('n1')
    expect((await post(gateway, '/api/copy', {source: 'a', destination: 'd'})).status).toBe(200)
    const gone = await fetch(`${gateway.url}/api/delete`, {method: 'DELETE', body: '{"name":"a"}'})
    expect(gone.status).toBe(200)
    // What was changed is seen at once.
    const {models: listed} = (await (await fetch(`${gateway.url}/api/tags`)).json()) as {
      models: {name: string}[]
    }
    const names = listed.map(({name}) => name).sort()
    expect(names).toEqual(['b:latest', 'c:latest', 'd:latest'])
    for (const node of gateway.nodes.slice(0, 2)) {
      const tags = (await (await fetch(`${node.url}/api/tags`)).json()) as {
        models: {name: string}[]
      }
      expect(tags.models.map(({name}) => name)).toContain('d:latest')
    }
  })

  test('what nobody has is told in the words of a node', async () => {
    const gateway = await start([{}, {}])
    const direct = gateway.nodes[0]?.url
    const asks: [string, string, object][] = [
      ['POST', '/api/show', {model: 'zz'}],
      ['POST', '/api/copy', {source: 'zz', destination: 'y'}],
      ['DELETE', '/api/delete', {model: 'zz'}],
      ['POST', '/api/push', {model: 'zz'}],
    ]
    for (const [method, path, body] of asks) {
      const init = {method, body: JSON.stringify(body)}
      const [through, own] = await Promise.all([
        fetch(gateway.url + path, init),
        fetch(direct + path, init),
      ])
      expect(through.status).toBe(own.status)
      expect(await through.text()).toBe(await own.text())
    }
  })

  test('is noted with its outcome', async () => {
    const gateway = await start([{pullable: ['fresh']}])
    const asks: [string, object, string][] = [
      ['/api/show', {model: 'tiny'}, 'ok'],
      ['/api/show', {model: 'zz'}, 'caller'],
      ['/api/pull', {model: 'fresh'}, 'ok'],
      ['/api/copy', {source: 'tiny', destination: 'y'}, 'ok'],
    ]
    for (const [path, body] of asks) await (await post(gateway, path, body)).text()
    await waitFor('the ends', () => gateway.ended.length === asks.length)
    expect(gateway.outcomes).toEqual(asks.map(([, , outcome]) => outcome))
  })

  test('what was pulled or made is listed as soon as it is there', async () => {
    const gateway = await start([{pullable: ['fresh']}, {}])
    const names = async () => await (await fetch(`${gateway.url}/api/tags`)).text()
    await (await post(gateway, '/api/pull', {model: 'fresh'})).text()
    expect(await names()).toContain('"fresh:latest"')
    await (await post(gateway, '/api/create', {model: 'made', from: 'tiny'})).text()
    expect(await names()).toContain('"made:latest"')
  })

  test('unload goes wherever the model is in memory', async () => {
    const gateway = await start([{}, {}])
    for (const node of gateway.nodes)
      await (
        await fetch(`${node.url}/api/generate`, {
          method: 'POST',
          body: '{"model":"tiny","prompt":"x"}',
        })
      ).text()
    for (const name of ['n1', 'n2']) gateway.fleet.look(name)
    await waitFor('both readings', () => gateway.fleet.nodes().every(({ps}) => ps.length === 1))
    const reply = await post(gateway, '/api/generate', {model: 'tiny', keep_alive: 0})
    expect(await reply.json()).toMatchObject({done_reason: 'unload'})
    expect(await (await fetch(`${gateway.url}/api/ps`)).json()).toEqual({models: []})
    for (const node of gateway.nodes)
      expect(await (await fetch(`${node.url}/api/ps`)).json()).toEqual({models: []})
  })

  test("a pull's progress is passed through as it comes", async () => {
    const gateway = await start([{pullable: ['fresh'], pullMs: 200}])
    const reply = await post(gateway, '/api/pull', {model: 'fresh'})
    const lines = linesOf(await reply.text())
    expect(lines.at(-1)).toEqual({status: 'success'})
    expect(lines.length).toBeGreaterThan(2)
  })
})
