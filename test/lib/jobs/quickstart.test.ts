import {afterEach, beforeEach, describe, expect, test} from 'vitest'
import type {Ask} from '../../../src/lib/cluster/ask.ts'
import {listNodes} from '../../../src/lib/jobs/list-nodes.ts'
import {makeTools} from '../../../src/lib/jobs/make-tools.ts'
import {firstAnswer, type QuickstartOptions, readyNode} from '../../../src/lib/jobs/quickstart.ts'
import type {Tools} from '../../../src/lib/jobs/tools.ts'
import {type FakeOllama, startFakeOllama} from '../../support/fake-ollama.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
let node: FakeOllama
const {signal} = new AbortController()

beforeEach(async () => {
  home = tempHome()
  node = await startFakeOllama({
    models: [
      {name: 'embed', sizeBytes: 1, capabilities: ['embedding']},
      {name: 'large', sizeBytes: 900, capabilities: ['completion']},
      {name: 'small', sizeBytes: 100, capabilities: ['completion']},
    ],
  })
})
afterEach(async () => {
  await node.close()
  home.dispose()
})

function tools(ask?: Ask): Tools {
  const env = {...home.env, OLLAMAX_LOCAL_OLLAMA: node.url}
  return makeTools({env, signal, ...(ask ? {ask} : {})})
}

async function quickstart(on: Tools, more: Partial<QuickstartOptions> = {}) {
  const options = {prompt: 'hello', wish: {}, yes: false, ...more}
  const ready = await readyNode(on, options, () => {})
  let shown = ''
  const onText = (text: string) => {
    shown += text
  }
  return {
    ready,
    shown: () => shown,
    answered: await firstAnswer(on, ready, {prompt: 'hello', onText}),
  }
}

describe('with an Ollama on this machine', () => {
  test('its smallest model for text answers, and it becomes the node `local`', async () => {
    const on = tools()
    const {ready, shown, answered} = await quickstart(on)
    expect(ready.model).toBe('small:latest')
    expect(answered).toMatchObject({node: 'local', added: true, text: shown()})
    expect(answered.tokens).toBeGreaterThan(0)
    expect((await on.cluster()).nodes).toMatchObject([
      {name: 'local', kind: 'direct', url: node.url},
    ])
    const {nodes} = await listNodes(on, {names: [], labels: []})
    expect(nodes).toMatchObject([{name: 'local', state: 'up', loaded: ['small:latest']}])
  })

  test('a second time changes nothing', async () => {
    const on = tools()
    await quickstart(on)
    expect((await quickstart(on)).answered).toMatchObject({node: 'local', added: false})
    expect((await on.cluster()).nodes).toHaveLength(1)
  })

  test('another node that has the name `local` keeps it', async () => {
    const on = tools()
    const other = {kind: 'direct', name: 'local', url: 'http://10.0.0.1:11434'} as const
    await on.editCluster((edit) =>
      edit.addNode({...other, headers: {}, labels: {}, drained: false, ollama: {}}),
    )
    expect((await quickstart(on)).answered).toMatchObject({node: 'local-2', added: true})
    expect((await on.cluster()).nodes.map(({name}) => name)).toEqual(['local', 'local-2'])
  })

  test('the model that was named is taken', async () => {
    const {ready} = await quickstart(tools(), {wish: {name: 'large'}})
    expect(ready.model).toBe('large:latest')
  })

  test('an answer without text is no quickstart, and records no node', async () => {
    const on = tools()
    await node.set({answer: ' '})
    await expect(quickstart(on)).rejects.toMatchObject({code: 'INFERENCE_FAILED'})
    expect((await on.cluster()).nodes).toEqual([])
  })

  test('that does not answer, ruling out the embedded node leaves nothing', async () => {
    await node.set({fault: {kind: 'refuse'}})
    await expect(quickstart(tools(), {only: 'local'})).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
    })
  })

  test('a model file is not given to an Ollama: ruling out the embedded node is an error', async () => {
    const options = {prompt: 'x', wish: {gguf: 'm.gguf'}, yes: false, only: 'local'} as const
    await expect(readyNode(tools(), options, () => {})).rejects.toMatchObject({code: 'BAD_INPUT'})
  })
})

describe('with an Ollama that has no model for text', () => {
  beforeEach(async () => {
    await node.close()
    const models = [{name: 'embed', sizeBytes: 1, capabilities: ['embedding']}]
    node = await startFakeOllama({models, pullable: ['smollm2:135m']})
  })

  test('nothing is pulled without being asked', async () => {
    await expect(quickstart(tools())).rejects.toMatchObject({
      code: 'NEEDS_TTY',
      suggestions: [expect.stringContaining('--yes')],
    })
    expect(node.requests.map(({path}) => path)).not.toContain('/api/pull')
  })

  test('the smallest is pulled when allowed, and answers', async () => {
    const {ready, answered} = await quickstart(tools(), {yes: true})
    expect(ready.model).toBe('smollm2:135m')
    expect(answered.text).not.toBe('')
  })

  test('a pull that fails says so and what else can be done', async () => {
    await node.set({pullable: []})
    await expect(quickstart(tools(), {yes: true})).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      message: expect.stringContaining('file does not exist'),
      suggestions: expect.arrayContaining(['ollamax quickstart --embedded']),
    })
  })

  test('saying no ends it with what else can be done', async () => {
    const no = {interactive: true, confirm: async () => false} as unknown as Ask
    await expect(quickstart(tools(no))).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
      suggestions: ['ollama pull smollm2:135m', 'ollamax quickstart --embedded'],
    })
  })
})
