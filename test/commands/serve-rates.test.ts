import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect, test} from 'vitest'
import {changeRate} from '../../src/lib/state/rates-file.ts'
import {ask, serveHarness} from '../support/serve-harness.ts'

const {home, cli, node, write, serve} = serveHarness()
const KEY = 'registry.ollama.ai/library/tiny:latest'
const file = () => join(home().env.OLLAMAX_HOME ?? '', 'cache/rates/default.json')
const kept = () => JSON.parse(readFileSync(file(), 'utf8'))

test('what bench measures, and a rename moves, while a gateway runs is not lost when that one writes', async () => {
  write([await node(), await node()])
  const {url, child, ended, logged} = await serve()
  for (let times = 0; times < 4; times++) await (await ask(url)).text()
  // As bench does, of a node that the gateway has learned of too, and a moment later than that.
  const atMs = Date.now() + 1000
  changeRate<{atMs: number; answerTps: number}>(file(), {node: 'n1', model: KEY}, () => ({
    atMs,
    answerTps: 12345,
  }))
  changeRate<{atMs: number; loadMs: number}>(file(), {node: 'n2', model: 'other'}, () => ({
    atMs,
    loadMs: 777,
  }))
  const renamed = await cli('node', 'rename', 'n2', 'box')
  expect(renamed.code, renamed.stderr).toBe(0)
  await logged('read the changed cluster file')
  child.kill('SIGTERM')
  await ended
  expect(kept().n1[KEY]).toMatchObject({atMs, answerTps: 12345})
  expect(kept().box.other).toMatchObject({atMs, loadMs: 777})
  expect(kept()).not.toHaveProperty('n2')
})
