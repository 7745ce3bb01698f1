import {once} from 'node:events'
import {afterEach, expect, test} from 'vitest'
import {watchNode} from '../../../src/lib/jobs/watch-node.ts'
import {type FakeOllama, startFakeOllama} from '../../support/fake-ollama.ts'
import {waitFor} from '../../support/wait-for.ts'

let node: FakeOllama
afterEach(() => node.close())

const quick = {quietMs: 20, replyMs: 200}
const never = new AbortController().signal
const questions = () => node.requests.filter(({path}) => path === '/api/version').length

test('a node that is silent but answers is left alone, however long it takes', async () => {
  node = await startFakeOllama({})
  const watch = watchNode({kind: 'url', url: node.url, headers: {}}, never, quick)
  await waitFor('several questions', () => questions() >= 5)
  expect(watch.signal.aborted).toBe(false)
  watch.close()
})

test('a node that answers nothing any more is given up', async () => {
  node = await startFakeOllama({fault: {kind: 'hang', on: 'all'}})
  const watch = watchNode({kind: 'url', url: node.url, headers: {}}, never, quick)
  await once(watch.signal, 'abort')
  expect(watch.signal.reason).toMatchObject({code: 'TIMEOUT'})
  expect(questions()).toBe(2)
})

test('an error is an answer, too', async () => {
  node = await startFakeOllama({fault: {kind: 'status', status: 500, on: 'all'}})
  const watch = watchNode({kind: 'url', url: node.url, headers: {}}, never, quick)
  await waitFor('several questions', () => questions() >= 5)
  expect(watch.signal.aborted).toBe(false)
  watch.close()
})

test('one that is heard of is not asked, and closing ends the questions', async () => {
  node = await startFakeOllama({})
  const watch = watchNode({kind: 'url', url: node.url, headers: {}}, never, {
    ...quick,
    quietMs: 60_000,
  })
  watch.alive()
  watch.close()
  expect(watch.signal.aborted).toBe(true)
  expect(questions()).toBe(0)
})
