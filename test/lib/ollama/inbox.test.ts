import fc from 'fast-check'
import {expect, test} from 'vitest'
import {Inbox} from '../../../src/lib/ollama/inbox.ts'

const bytes = (length: number, fill = 1) => new Uint8Array(length).fill(fill)

async function all(inbox: Inbox): Promise<number[]> {
  const got: number[] = []
  for await (const chunk of inbox) got.push(...chunk)
  return got
}

test('what comes is read in its order, whoever is ahead of the other', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom('push', 'read'), {maxLength: 40}), async (steps) => {
      const inbox = new Inbox(() => {})
      const reads: ReturnType<Inbox['next']>[] = []
      let sent = 0
      for (const step of steps)
        if (step === 'push') inbox.push(Uint8Array.of(sent++))
        // One reads at a time, as a loop does.
        else if (reads.length <= sent) reads.push(inbox.next())
      inbox.end()
      const first = (await Promise.all(reads)).flatMap(({value}) => [...(value ?? [])])
      const got = [...first, ...(await all(inbox))]
      expect(got).toEqual(Array.from({length: sent}, (_, at) => at))
    }),
  )
})

test('a sender is told to hold back at 64 KiB, and once to go on when there is room', async () => {
  let drained = 0
  const inbox = new Inbox(() => drained++)
  expect(inbox.push(bytes(40_000))).toBe(true)
  expect(inbox.push(bytes(40_000))).toBe(false)
  expect(inbox.push(bytes(10))).toBe(false)
  expect(drained).toBe(0)
  await inbox.next()
  expect(drained).toBe(1)
  await inbox.next()
  expect(drained).toBe(1)
})

test('what came before a failure is read before it is thrown, and it is thrown each time', async () => {
  const inbox = new Inbox(() => {})
  inbox.push(bytes(3))
  inbox.fail(new Error('cut'))
  inbox.end()
  expect((await inbox.next()).value).toHaveLength(3)
  await expect(inbox.next()).rejects.toThrow('cut')
  await expect(inbox.next()).rejects.toThrow('cut')
})

test('what is dropped is not read any more, not by one who waits either', async () => {
  const inbox = new Inbox(() => {})
  const waits = inbox.next()
  inbox.drop(new Error('gone'))
  await expect(waits).rejects.toThrow('gone')
  const held = new Inbox(() => {})
  held.push(bytes(3))
  held.drop(new Error('gone'))
  expect(held.push(bytes(1))).toBe(true)
  await expect(held.next()).rejects.toThrow('gone')
})
