import {afterEach, describe, expect, test} from 'vitest'
import {startGateway, type TestGateway} from '../../support/gateway.ts'
import {inference, named, rejection, run, runHarness} from './run-harness.ts'

const {start, toolsFor} = runHarness()
const open: TestGateway[] = []
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.close()
})

describe('a cluster that names a gateway', () => {
  test('asks it, and tells which node has answered', async () => {
    const gateway = await startGateway([{}])
    open.push(gateway)
    const nodes = await start({})
    const tools = toolsFor(named(nodes), {gateway: {url: gateway.url}})
    const {answer, text} = run(tools)
    expect(await answer).toMatchObject({node: 'n1', attempts: [{node: 'n1', ok: true}]})
    expect(text()).not.toBe('')
    expect(nodes[0] && inference(nodes[0])).toBe(0)
    expect(gateway.nodes[0] && inference(gateway.nodes[0])).toBe(1)
  })

  test('asks the nodes themselves while no gateway runs there', async () => {
    const nodes = await start({}, {})
    const tools = toolsFor(named(nodes), {gateway: {url: 'http://127.0.0.1:9'}})
    const {answer} = run(tools)
    expect((await answer).node).toMatch(/^n[12]$/)
  })

  test('passes the wish for one node on', async () => {
    const gateway = await startGateway([{}, {}])
    open.push(gateway)
    const tools = toolsFor(named(gateway.nodes), {gateway: {url: gateway.url}})
    for (const node of ['n2', 'n1', 'n2']) expect((await run(tools, {node}).answer).node).toBe(node)
  })

  test('says what the gateway says of a model that is nowhere', async () => {
    const gateway = await startGateway([{}])
    open.push(gateway)
    const tools = toolsFor(named(gateway.nodes), {gateway: {url: gateway.url}})
    const error = await rejection(run(tools, {body: {model: 'tinny', prompt: 'x'}}).answer)
    expect(error.code).toBe('MODEL_NOT_FOUND')
    expect(error.suggestions[0]).toMatch(/tiny/)
  })
})
