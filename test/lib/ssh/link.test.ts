import {expect, test} from 'vitest'
import {OllamaxError} from '../../../src/lib/errors.ts'
import type {Connection} from '../../../src/lib/ssh/dial.ts'
import {openLink} from '../../../src/lib/ssh/link.ts'

function connection(): {made: Connection; cut: () => void; closed: () => boolean} {
  const lost = new AbortController()
  let closed = false
  const never = () => Promise.reject(new Error('not used here'))
  const made: Connection = {
    target: 't',
    hostKey: 'SHA256:x',
    certified: false,
    lost: lost.signal,
    exec: never,
    put: never,
    forward: never,
    shell: never,
    close: async () => {
      closed = true
      lost.abort()
    },
  }
  return {made, cut: () => lost.abort(), closed: () => closed}
}

const quick = {firstPauseMs: 1, longestPauseMs: 4}

test('everyone who asks at once shares one dial, and later ones its connection', async () => {
  let dials = 0
  const one = connection()
  const link = openLink(async () => {
    dials++
    return one.made
  }, quick)
  expect(link.connected).toBe(false)
  const got = await Promise.all([link.remote(), link.remote(), link.remote()])
  expect(new Set(got)).toEqual(new Set([one.made]))
  expect(await link.remote()).toBe(one.made)
  expect(dials).toBe(1)
  expect(link.connected).toBe(true)
})

test('a lost connection is made anew by the next who asks', async () => {
  const all = [connection(), connection()]
  let dials = 0
  const link = openLink(async () => (all[dials++] ?? connection()).made, quick)
  await link.remote()
  all[0]?.cut()
  expect(link.connected).toBe(false)
  expect(await link.remote()).toBe(all[1]?.made)
})

test('each call makes one dial and throws its error; it works again once the machine is back', async () => {
  let dials = 0
  const back = connection()
  const link = openLink(async () => {
    if (++dials < 4) throw new OllamaxError('SSH_UNREACHABLE', `try ${dials}`)
    return back.made
  }, quick)
  for (const at of [1, 2, 3]) await expect(link.remote()).rejects.toThrow(`try ${at}`)
  expect(await link.remote()).toBe(back.made)
})

test('an abort ends one caller’s wait, not the dial of the others', async () => {
  const one = connection()
  const dialled = Promise.withResolvers<Connection>()
  const link = openLink(() => dialled.promise, quick)
  const other = link.remote()
  await expect(link.remote(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
  dialled.resolve(one.made)
  expect(await other).toBe(one.made)
})

test('a closed link closes its connection, also one that was still being made', async () => {
  const one = connection()
  const standing = openLink(async () => one.made, quick)
  await standing.remote()
  await standing.close()
  expect(one.closed()).toBe(true)
  await expect(standing.remote()).rejects.toMatchObject({code: 'SSH_LOST'})

  const late = connection()
  const dialled = Promise.withResolvers<Connection>()
  const link = openLink(() => dialled.promise, quick)
  const waiting = expect(link.remote()).rejects.toMatchObject({code: 'SSH_LOST'})
  const closing = link.close()
  dialled.resolve(late.made)
  await Promise.all([waiting, closing])
  expect(late.closed()).toBe(true)
})
