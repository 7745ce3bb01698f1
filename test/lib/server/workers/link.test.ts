import {setImmediate} from 'node:timers/promises'
import {expect, test} from 'vitest'
import {Link} from '../../../../src/lib/server/workers/link.ts'

interface There {
  note(text: string): void
  double(count: number): number
  nothing(): string | undefined
  fail(): void
}

/** Two ends of a line whose messages go through JSON, as between processes. */
function line() {
  const messages: string[] = []
  const heard: string[] = []
  const there: There = {
    note: (text) => void heard.push(text),
    double: (count) => count * 2,
    nothing: () => undefined,
    fail() {
      throw new Error('it cannot')
    },
  }
  const far = new Link<never>((batch, done) => {
    near.receive(JSON.parse(JSON.stringify(batch)))
    done(null)
  }, there)
  const near: Link<There> = new Link<There>((batch, done) => {
    messages.push(JSON.stringify(batch))
    far.receive(JSON.parse(JSON.stringify(batch)))
    done(null)
  }, {})
  return {near, heard, messages}
}

test('what is said in one turn goes as one message, in its order, and what is said later as another', async () => {
  const {near, heard, messages} = line()
  for (const text of ['a', 'b', 'c']) near.tell('note', text)
  const asked = near.ask('double', 4)
  expect(messages).toHaveLength(0)
  expect(await asked).toBe(8)
  expect([messages.length, heard]).toEqual([1, ['a', 'b', 'c']])
  near.tell('note', 'd')
  await setImmediate()
  expect([messages.length, heard]).toEqual([2, ['a', 'b', 'c', 'd']])
})

test('each question gets its own answer, also nothing, and what failed there fails here', async () => {
  const {near} = line()
  const all = [near.ask('double', 1), near.ask('nothing'), near.ask('double', 2)]
  expect(await Promise.all(all)).toEqual([2, undefined, 4])
  await expect(near.ask('fail')).rejects.toThrow('it cannot')
})

test('flushed is said at once', async () => {
  const {near, heard} = line()
  near.tell('note', 'last words')
  await near.flush()
  expect(heard).toEqual(['last words'])
})

test('when the other side is gone, whoever waits is told, and nothing is said or heard any more', async () => {
  const {near, heard, messages} = line()
  const waiting = near.ask('double', 1)
  near.tell('note', 'too late')
  near.close(new Error('it is gone'))
  await expect(waiting).rejects.toThrow('it is gone')
  await expect(near.ask('double', 1)).rejects.toThrow('it is gone')
  near.receive([[null, 1, 2]])
  await near.flush()
  await setImmediate()
  expect([heard, messages]).toEqual([[], []])
})
