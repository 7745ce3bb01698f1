import {appendFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, expect, test} from 'vitest'
import {askNobody} from '../../../src/lib/cluster/ask.ts'
import {applyDesired} from '../../../src/lib/jobs/desired/apply-desired.ts'
import {makeTools} from '../../../src/lib/jobs/make-tools.ts'
import {clusterHome} from '../../support/cluster-home.ts'
import {type FakeOllama, startFakeOllama} from '../../support/fake-ollama.ts'
import type {TempHome} from '../../support/temp-home.ts'

let node: FakeOllama
let home: TempHome
afterEach(async () => {
  await node.close()
  home.dispose()
})

/** Applies with a person who does something before the answer, and says what came of it and what was shown. */
async function applied(answer: (file: string) => Promise<boolean>) {
  node = await startFakeOllama({models: ['tiny', 'other']})
  home = clusterHome([node])
  const file = join(home.env.OLLAMAX_HOME ?? '', 'clusters/default.yaml')
  appendFileSync(file, 'models:\n  - {name: tiny, warm: true}\n')
  const shown: number[] = []
  const tools = makeTools({
    env: home.env,
    signal: new AbortController().signal,
    ask: {...askNobody, interactive: true, confirm: () => answer(file)},
  })
  try {
    return await applyDesired(tools, {
      ...{yes: false, concurrency: 4, timeoutMs: 5000, drainMs: 1000},
      show: ({changes}) => shown.push(changes),
      doing: (work) => work(() => {}),
    })
  } finally {
    expect(shown).toEqual([1])
    await tools.close()
  }
}

test('what is confirmed is what is done', async () => {
  expect(await applied(async () => true)).toMatchObject({
    actions: [{node: 'n1', kind: 'warm', outcome: 'done'}],
    left: 0,
  })
})

test('nothing is done after a no', async () => {
  await expect(applied(async () => false)).rejects.toMatchObject({code: 'NOT_CONFIRMED'})
  expect(node.requests.some(({path}) => path === '/api/generate')).toBe(false)
})

test('what is not any more what was confirmed is not done, and the difference is told', async () => {
  const edited = applied(async (file) => {
    appendFileSync(file, '  - {name: other, warm: true}\n')
    return true
  })
  await expect(edited).rejects.toMatchObject({
    code: 'PLAN_CHANGED',
    message:
      'the plan is not any more what was shown, and nothing was done; to be done as well: n1: load other and keep it in memory',
  })
  expect(node.requests.some(({path}) => path === '/api/generate')).toBe(false)
})

test('what somebody else has done meanwhile is not done twice', async () => {
  const done = applied(async () => {
    const body = JSON.stringify({model: 'tiny', keep_alive: -1, stream: false})
    await fetch(`${node.url}/api/generate`, {method: 'POST', body})
    return true
  })
  await expect(done).rejects.toMatchObject({
    code: 'PLAN_CHANGED',
    message: expect.stringContaining('no longer to be done: n1: load tiny'),
  })
})
