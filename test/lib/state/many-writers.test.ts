import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {readdirSync, readFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {createInterface} from 'node:readline'
import {setTimeout as pause} from 'node:timers/promises'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {compile} from '../../../src/lib/state/compile.ts'
import {editCluster} from '../../../src/lib/state/edit.ts'
import {clusterFile, emptyCluster} from '../../../src/lib/state/load.ts'
import {type Paths, pathsFor} from '../../../src/lib/state/paths.ts'
import {writeWhole} from '../../../src/lib/state/write-file.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'
import {waitFor} from '../../support/wait-for.ts'

const EDIT = join(import.meta.dirname, '../../support/state/edit-cluster.ts')

let home: TempHome
let paths: Paths
beforeEach(async () => {
  home = tempHome()
  paths = pathsFor(home.env)
  await writeWhole(clusterFile(paths, 'lab'), emptyCluster('lab'))
})
afterEach(() => home.dispose())

function start(name: string) {
  const child = spawn(process.execPath, [EDIT, name], {
    env: home.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  createInterface({input: child.stdout}).on('line', (line) => lines.push(line))
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const gone = once(child, 'close') as Promise<[number | null]>
  return {child, lines, gone, stderr: () => stderr}
}

/** The names in the file as it is on disk now; throws unless it is whole and valid. */
function names(): string[] {
  const file = clusterFile(paths, 'lab')
  const {cluster} = compile({name: 'lab', text: readFileSync(file, 'utf8'), file})
  return cluster.nodes.map(({name}) => name)
}

test('of 30 processes that add a node at once none is lost', async () => {
  const wanted = Array.from({length: 30}, (_, index) => `gpu-${index}`)
  const ended = await Promise.all(
    wanted.map(async (name) => {
      const {gone, stderr} = start(name)
      return {code: (await gone)[0], stderr: stderr()}
    }),
  )
  expect(ended).toEqual(wanted.map(() => ({code: 0, stderr: ''})))
  expect(names().sort()).toEqual(wanted.sort())
  expect(readdirSync(dirname(clusterFile(paths, 'lab')))).toEqual(['lab.yaml'])
}, 120_000)

test('kill -9 at any moment of a write leaves the old file or the new one, and no stuck lock', async () => {
  const count = 3
  const writers = Array.from({length: count}, () => start('+'))
  const all = [...writers]
  try {
    for (let round = 0; round < 40; round++) {
      const before = names().length
      await waitFor('a write', () => names().length > before + 1, {timeoutMs: 20_000, everyMs: 1})
      const index = round % count
      // The random moment is the point here; nothing is waited for.
      await pause(Math.random() * 8)
      writers[index]?.child.kill('SIGKILL')
      await writers[index]?.gone
      const found = names()
      expect(found).toEqual(found.map((_, i) => `n${i}`))
      const next = start('+')
      writers[index] = next
      all.push(next)
    }
  } finally {
    for (const {child} of writers) child.kill('SIGKILL')
    await Promise.all(writers.map(({gone}) => gone))
  }
  const found = names()
  // What a writer said it had written is there: nothing was rolled back or overwritten.
  for (const {lines} of all) for (const name of lines) expect(found).toContain(name)
  expect(all.map(({stderr}) => stderr())).toEqual(all.map(() => ''))
  await editCluster({paths, name: 'lab'}, (edit) => edit.removeNode('n0'), {timeoutMs: 1000})
  expect(names()).toEqual(found.slice(1))
  const left = readdirSync(dirname(clusterFile(paths, 'lab')))
  expect(left.filter((name) => name.endsWith('.new') || name === '.lock')).toEqual([])
}, 120_000)
