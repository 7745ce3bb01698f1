import {execFileSync} from 'node:child_process'
import {join} from 'node:path'
import {expect, test} from 'vitest'

const MODULE = join(import.meta.dirname, '../../../src/lib/server/young-space.ts')

/** Holds what it makes for a while, as streams do, and says how large the space for new objects has become, in MiB. */
const work = (bounded: boolean) => `
import {getHeapSpaceStatistics} from 'node:v8'
import {setTimeout} from 'node:timers/promises'
import {boundYoungSpace} from ${JSON.stringify(MODULE)}
${bounded ? 'boundYoungSpace()' : ''}
const held = []
for (let round = 0; round < 40; round++) {
  for (let i = 0; i < 40_000; i++) held[i] = {round, i, more: [i]}
  await setTimeout(20)
}
const young = getHeapSpaceStatistics().find((it) => it.space_name === 'new_space')
console.log(young.space_size / 1024 / 1024)
`

test('the space of new objects grows to what suits streams, and no further', () => {
  const size = (bounded: boolean) =>
    Number(execFileSync(process.execPath, ['--input-type=module', '-e', work(bounded)]))
  expect(size(false)).toBeGreaterThan(16)
  expect(size(true)).toBe(16)
})
