import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import fc from 'fast-check'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {openJournal} from '../../../src/lib/jobs/roll/journal.ts'
import {wavesOf} from '../../../src/lib/jobs/roll/waves.ts'
import {planReturn} from '../../../src/lib/provision/plan-return.ts'
import {bareHost} from '../../support/facts.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
beforeEach(() => {
  home = tempHome()
})
afterEach(() => home.dispose())

test('the canary goes first and alone, and every other node is in exactly one wave', () => {
  const nodes = fc.uniqueArray(fc.nat(1000), {minLength: 1, maxLength: 60})
  fc.assert(
    fc.property(nodes, fc.integer({min: 1, max: 20}), fc.nat(), (all, count, pick) => {
      const canary = all[pick % all.length]
      const waves = wavesOf(all, canary, count)
      expect(waves[0]).toEqual([canary])
      expect(waves.flat().sort()).toEqual([...all].sort())
      expect(waves.length).toBe(1 + Math.min(count, all.length - 1))
      const sizes = waves.slice(1).map((wave) => wave.length)
      expect(sizes).toEqual([...sizes].sort((a, b) => a - b))
      expect((sizes.at(-1) ?? 1) - (sizes[0] ?? 1)).toBeLessThanOrEqual(1)
    }),
  )
})

test('without a canary the first node is it, and nothing makes no wave', () => {
  expect(wavesOf(['a', 'b', 'c'], undefined, 1)).toEqual([['a'], ['b', 'c']])
  expect(wavesOf([], undefined, 3)).toEqual([])
})

test('the journal of a roll is read again by the next process, whatever order it was written in', async () => {
  const before = {install: 'system', tree: '0.33.0'} as const
  const journal = openJournal(home.dir)
  await Promise.all(
    ['h1', 'h2', 'h3'].map((name) =>
      journal.put(name, {drainedByUs: name !== 'h2', disturbed: false, before}),
    ),
  )
  await journal.remove('h3')
  const again = openJournal(home.dir)
  expect(again.get('h1')).toEqual({drainedByUs: true, disturbed: false, before})
  expect(again.get('h2')?.drainedByUs).toBe(false)
  expect(again.get('h3')).toBeUndefined()
  writeFileSync(join(home.dir, 'roll.json'), '{"h1": ')
  expect(openJournal(home.dir).get('h1')).toBeUndefined()
})

test("the way back restores the tree and the text of our own file, and someone else's program by the text alone", () => {
  const host = bareHost()
  const text = '[Service]\nEnvironment="A=1"\n'
  const ours = planReturn(host, {
    install: 'system',
    tree: '0.33.0',
    file: {kind: 'dropin', text},
  })
  expect(ours.map(({title, root}) => [title, root])).toEqual([
    ['switch back to 0.33.0', true],
    ['write the settings as they were', true],
    ['start Ollama', true],
  ])
  expect(ours[1]?.args).toContain(text)
  const foreign = planReturn(host, {install: 'system', file: {kind: 'dropin', text}})
  expect(foreign.map(({title}) => title)).toEqual([
    'write the settings as they were',
    'start Ollama',
  ])
  const account = planReturn(host, {
    install: 'user',
    tree: '0.33.0',
    file: {kind: 'supervisor', text: '#!/bin/sh\n'},
  })
  expect(account.every(({root}) => !root)).toBe(true)
  expect(account[1]?.args).toContain('/home/ops/.local/share/ollamax/ollama/supervise.sh')
})
