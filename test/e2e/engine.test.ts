import {existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeAll, beforeEach, expect, test} from 'vitest'
import {engineHome} from '../../src/lib/engine/engine-home.ts'
import {sharedLibrary} from '../support/engine.ts'
import {runCli} from '../support/run-cli.ts'
import {type TempHome, tempHome} from '../support/temp-home.ts'
import {writeTinyGguf} from '../support/tiny-gguf.ts'
import {waitFor} from '../support/wait-for.ts'

let library: string
let home: TempHome
let gguf: string

beforeAll(async () => {
  library = (await sharedLibrary()).library
})
beforeEach(() => {
  home = tempHome()
  gguf = join(home.dir, 'tiny.gguf')
  writeTinyGguf(gguf)
  const own = engineHome(join(home.dir, 'ollamax/data'))
  mkdirSync(own.root, {recursive: true})
  symlinkSync(library, own.library)
})
afterEach(async () => {
  await cli('engine', 'stop')
  home.dispose()
})

const cli = (...args: string[]) =>
  // An own store: the machine that runs this may have an Ollama.
  runCli(args, {env: {...home.env, OLLAMA_MODELS: join(home.dir, 'store')}, timeoutMs: 100_000})
const recordFile = () => join(home.dir, 'ollamax/run/engine.json')
const record = () => JSON.parse(readFileSync(recordFile(), 'utf8')) as {pid: number; port: number}
const json = async (...args: string[]) =>
  JSON.parse((await cli(...args, '--json')).stdout) as Record<string, unknown>

test('start, status and stop: each says what is so, and doing it twice changes nothing', async () => {
  expect((await cli('engine', 'status')).code).toBe(3)
  const started = await json('engine', 'start', '--gguf', gguf)
  expect(started).toMatchObject({started: true, model: 'tiny:latest', modelPath: gguf})
  expect(await json('engine', 'start')).toEqual({...started, started: false})
  const status = await cli('engine', 'status', '--json')
  expect(status.code).toBe(0)
  expect(JSON.parse(status.stdout)).toMatchObject({
    state: 'running',
    pid: started.pid,
    port: started.port,
    model: 'tiny:latest',
    loaded: true,
    memoryBytes: expect.any(Number),
  })
  const other = await cli('engine', 'start', '--model', 'other')
  expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('runs already')])
  expect(await json('engine', 'stop')).toEqual({stopped: true, pid: started.pid})
  expect(await json('engine', 'stop')).toEqual({stopped: false, pid: null})
  expect(existsSync(recordFile())).toBe(false)
})

test('two starts at once start one engine', async () => {
  const both = await Promise.all([
    json('engine', 'start', '--gguf', gguf),
    json('engine', 'start', '--gguf', gguf),
  ])
  expect(both[0]?.pid).toBe(both[1]?.pid)
  expect(both.map(({started}) => started).sort()).toEqual([false, true])
})

test('an engine that was killed is not running, takes its model process along, and can be started anew', async () => {
  const first = await json('engine', 'start', '--gguf', gguf)
  const children = childrenOf(first.pid as number)
  expect(children.length).toBeGreaterThan(0)
  process.kill(first.pid as number, 'SIGKILL')
  await waitFor('the model process to end', () => children.every((pid) => !isAlive(pid)))
  expect((await cli('engine', 'status')).code).toBe(3)
  const second = await json('engine', 'start')
  expect(second).toMatchObject({started: true, model: 'tiny:latest'})
})

test('a process that only has the pid of a dead engine is never touched', async () => {
  const {pid} = process
  mkdirSync(join(home.dir, 'ollamax/run'), {recursive: true})
  const stale = {
    pid,
    port: 1,
    startedAt: new Date().toISOString(),
    model: 'tiny:latest',
    modelPath: gguf,
    instance: '0123456789abcdef',
  }
  writeFileSync(recordFile(), JSON.stringify(stale))
  expect((await cli('engine', 'status')).code).toBe(3)
  // Ending us would end this test.
  expect(await json('engine', 'stop')).toEqual({stopped: false, pid: null})
  expect(existsSync(recordFile())).toBe(false)
})

test('a model file that llama.cpp cannot stand fails the start, is named, and is not kept', async () => {
  const bad = join(home.dir, 'bad.gguf')
  writeTinyGguf(bad, {broken: true})
  await json('engine', 'start', '--gguf', gguf)
  await cli('engine', 'stop')
  const {code, stderr} = await cli('engine', 'start', '--gguf', bad)
  expect(code).toBe(1)
  expect(stderr).toContain('ENGINE_FAILED')
  expect(stderr).toContain(bad)
  expect((await cli('engine', 'status')).code).toBe(3)
  // What worked before is still the choice.
  expect(await json('engine', 'start')).toMatchObject({modelPath: gguf})
})

test('a port that is taken is an error that names it', async () => {
  const {port} = await json('engine', 'start', '--gguf', gguf)
  const second = tempHome()
  const own = engineHome(join(second.dir, 'ollamax/data'))
  mkdirSync(own.root, {recursive: true})
  symlinkSync(library, own.library)
  const {code, stderr} = await runCli(['engine', 'start', '--gguf', gguf, '--port', String(port)], {
    env: second.env,
  })
  second.dispose()
  expect(code).toBe(1)
  expect(stderr).toContain(`127.0.0.1:${port}`)
})

test('remove asks, and deletes what was fetched but no file of the user', async () => {
  await json('engine', 'start', '--gguf', gguf)
  expect((await cli('engine', 'remove')).stderr).toContain('CONFIRM_NEEDED')
  expect(record().pid).toBeGreaterThan(0)
  expect(await json('engine', 'remove', '--yes')).toMatchObject({removed: true})
  expect(existsSync(gguf)).toBe(true)
  expect(existsSync(library)).toBe(true)
  expect(await json('engine', 'status')).toMatchObject({state: 'not installed', pid: null})
})

function childrenOf(pid: number): number[] {
  const path = `/proc/${pid}/task/${pid}/children`
  return readFileSync(path, 'utf8').trim().split(' ').filter(Boolean).map(Number)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
