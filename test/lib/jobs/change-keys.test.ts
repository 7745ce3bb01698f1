import {afterEach, beforeEach, expect, test} from 'vitest'
import {OllamaxError} from '../../../src/lib/errors.ts'
import {removeCluster} from '../../../src/lib/jobs/change-clusters.ts'
import {createKey, listKeys, revokeKey} from '../../../src/lib/jobs/change-keys.ts'
import {pathsFor} from '../../../src/lib/state/paths.ts'
import {fakeAsk} from '../../support/fake-ask.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
beforeEach(() => {
  home = tempHome()
})
afterEach(() => home.dispose())

const tools = (...answers: boolean[]) => ({
  paths: pathsFor(home.env),
  clusterName: () => 'default',
  env: home.env,
  signal: new AbortController().signal,
  ask: fakeAsk(answers),
})
const create = async (name: string) =>
  (await createKey(tools(), {name, models: [], allowContinue: false, admin: false})).key
const names = async () => (await listKeys(tools())).map(({name}) => name)

test('a key is revoked after a yes, and stays after a no', async () => {
  const {id} = await create('alice')
  const no = tools(false)
  const refused = await revokeKey(no, {key: 'alice', yes: false}).catch((error) => error)
  expect(OllamaxError.is(refused, 'NOT_CONFIRMED')).toBe(true)
  expect(no.ask.asked).toEqual([`Revoke the key "alice" (${id})? It cannot be brought back.`])
  expect(await names()).toEqual(['alice'])
  expect(await revokeKey(tools(true), {key: 'alice', yes: false})).toMatchObject({id})
  expect(await names()).toEqual([])
})

test('the key that was asked about is the one that goes, whoever has its name by then', async () => {
  await create('alice')
  const asking = tools()
  const ask = {
    ...asking.ask,
    confirm: async () => {
      await revokeKey(tools(), {key: 'alice', yes: true})
      await create('alice')
      return true
    },
  }
  const late = await revokeKey({...asking, ask}, {key: 'alice', yes: false}).catch((error) => error)
  expect(OllamaxError.is(late, 'KEY_NOT_FOUND')).toBe(true)
  expect(await names()).toEqual(['alice'])
})

test('who removes a cluster with keys is told that they end', async () => {
  await create('alice')
  const no = {...tools(false), clusterName: () => 'other'}
  const refused = await removeCluster(no, {name: 'default', yes: false}).catch((error) => error)
  expect(OllamaxError.is(refused, 'NOT_CONFIRMED')).toBe(true)
  expect(no.ask.asked[0]).toContain('Its keys end with it.')
  expect(await names()).toEqual(['alice'])
})
