import {readdirSync, statSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {appendEvent, readEvents} from '../../../src/lib/state/event-log.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
let paths: {data: string}
beforeEach(() => {
  home = tempHome()
  paths = {data: join(home.dir, 'data')}
})
afterEach(() => home.dispose())

const event = (text: string) => ({at: new Date().toISOString(), event: 'done' as const, text})

test('what was told is read again in its order, each cluster by itself', () => {
  expect(readEvents(paths, 'lab')).toEqual([])
  for (const text of ['one', 'two']) appendEvent(paths, 'lab', event(text))
  appendEvent(paths, 'lab-2', event('other'))
  expect(readEvents(paths, 'lab').map(({text}) => text)).toEqual(['one', 'two'])
  expect(readEvents(paths, 'lab-2').map(({text}) => text)).toEqual(['other'])
})

test('it never takes more than two mebibytes and a line, and keeps the newest', () => {
  const long = 'x'.repeat(100_000)
  for (let at = 0; at < 50; at++) appendEvent(paths, 'lab', event(`${at} ${long}`))
  const directory = join(paths.data, 'events/lab')
  const sizes = readdirSync(directory).map((file) => statSync(join(directory, file)).size)
  expect(sizes.length).toBe(2)
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(2 * (2 ** 20 + 100_100))
  expect(readEvents(paths, 'lab').at(-1)?.text).toBe(`49 ${long}`)
})
