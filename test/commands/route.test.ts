import {appendFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, describe, expect, test} from 'vitest'
import {clusterHome} from '../support/cluster-home.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli} from '../support/run-cli.ts'
import {type RunningServe, startServe} from '../support/serve.ts'
import {freePort} from '../support/sshd.ts'
import type {TempHome} from '../support/temp-home.ts'

let home: TempHome
let nodes: FakeOllama[]
let gateway: RunningServe | undefined
beforeEach(async () => {
  nodes = await Promise.all([
    startFakeOllama({models: ['tiny', 'mini']}),
    startFakeOllama(),
    startFakeOllama({models: ['mini']}),
  ])
  home = clusterHome(nodes)
})
afterEach(async () => {
  gateway?.child.kill('SIGKILL')
  await gateway?.ended
  gateway = undefined
  await Promise.all(nodes.map((node) => node.close()))
  home.dispose()
})

const cli = (...args: string[]) => runCli(args, {env: home.env})
const json = async (...args: string[]) => JSON.parse((await cli(...args, '--json')).stdout)
const asked = () => nodes.flatMap(({requests}) => requests.filter(({method}) => method === 'POST'))
const nameGateway = (lines: string) =>
  appendFileSync(join(home.dir, 'ollamax/clusters/default.yaml'), `gateway:\n${lines}\n`)

/** Starts one where the cluster file says that it is. */
async function serve(more = '') {
  const address = `127.0.0.1:${await freePort()}`
  nameGateway(`  url: http://${address}\n${more}`)
  gateway = await startServe(['--listen', address], {env: home.env})
  return gateway.url
}

describe('explain', () => {
  test('without a gateway this process decides, as run does, and nothing is sent to a model', async () => {
    const route = await json('route', 'explain', 'tiny', 'why', 'is the sky blue?')
    expect(route).toMatchObject({cluster: 'default', by: 'here', url: null, model: 'tiny'})
    const candidates = route.candidates.map(({node}: {node: string}) => node)
    expect(candidates.sort()).toEqual(['n1', 'n2'])
    expect(route.excluded).toEqual([
      {node: 'n3', reason: 'no-model', text: 'does not have the model'},
    ])
    expect(asked()).toEqual([])
  })

  test('the longer the prompt, the longer the time that is expected', async () => {
    const short = await json('route', 'explain', 'tiny', 'x')
    const long = JSON.parse(
      (
        await runCli(['route', 'explain', 'tiny', '--json'], {
          env: home.env,
          stdin: 'word '.repeat(4000),
        })
      ).stdout,
    )
    expect(long.promptTokens).toBe(Math.ceil((4000 * 5) / 4))
    expect(long.candidates[0].promptMs).toBeGreaterThan(short.candidates[0].promptMs * 100)
  })

  test('piped: a line for each node, the candidates first', async () => {
    const {code, stdout, stderr} = await cli('route', 'explain', 'tiny', 'hi')
    expect(code).toBe(0)
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'))
    expect(rows.map((row) => row.length)).toEqual([12, 12, 12])
    for (const row of rows.slice(0, 2)) {
      expect(row[1]).toBe('cold')
      for (const cell of row.slice(2, 11)) expect(cell).toMatch(/^\d+$/)
      expect(row[11]).toBe('guessed: load, prompt, answer')
    }
    expect([rows[2]?.[0], rows[2]?.[11]]).toEqual(['n3', 'does not have the model'])
    expect(stderr).toBe('policy expected-time, decided by this process\n')
  })

  test('with a gateway it is asked: what it has learned decides', async () => {
    const url = await serve()
    const {node} = await json('run', 'tiny', 'hi')
    const route = await json('route', 'explain', 'tiny', 'hi', '--policy', 'least-loaded')
    expect(route).toMatchObject({by: 'gateway', url, policy: 'least-loaded'})
    const learned = route.candidates.find((one: {node: string}) => one.node === node)
    expect(learned).toMatchObject({residency: 'loaded'})
    expect(learned.guessed).not.toContain('answer')
    expect(asked()).toHaveLength(1)
    const {stderr} = await cli('route', 'explain', 'tiny', 'hi')
    expect(stderr).toContain(`decided by the gateway at ${url}`)
  })

  test('where the gateway does not run, this process decides', async () => {
    nameGateway(`  url: http://127.0.0.1:${await freePort()}`)
    expect((await json('route', 'explain', 'tiny', 'hi')).by).toBe('here')
  })

  test('a gateway that wants a key gets the one that the cluster file names, and else says so', async () => {
    const token = (await cli('key', 'create', 'me', '--admin')).stdout.trim()
    const user = (await cli('key', 'create', 'user')).stdout.trim()
    await serve('  key: {env: GATEWAY_KEY}\n')
    const words = ['route', 'explain', 'tiny', 'hi', '--json']
    const good = await runCli(words, {env: {...home.env, GATEWAY_KEY: token}})
    expect(JSON.parse(good.stdout).by).toBe('gateway')
    const mere = await runCli(words, {env: {...home.env, GATEWAY_KEY: user}})
    expect(JSON.parse(mere.stdout).error).toMatchObject({
      message: expect.stringContaining('ollamax key create NAME --admin'),
    })
    const bad = await runCli(words, {env: {...home.env, GATEWAY_KEY: `${token}x`}})
    expect(bad.code).toBe(1)
    expect(JSON.parse(bad.stdout).error).toMatchObject({
      code: 'NODE_ERROR',
      message: expect.stringContaining('this key is not known here'),
      suggestions: [expect.stringContaining('gateway.key')],
    })
    expect(bad.stdout).not.toContain(token)
  })

  test('nobody has the model: the reasons are the answer', async () => {
    const {code, stdout, stderr} = await cli('route', 'explain', 'none')
    expect(code).toBe(0)
    expect(stdout.trimEnd().split('\n')).toHaveLength(3)
    expect(stderr).toContain('no node can take it now')
  })

  test('an unknown policy is refused with the nearest one', async () => {
    const {code, stderr} = await cli('route', 'explain', 'tiny', '--policy', 'latencyy')
    expect(code).toBe(2)
    expect(stderr).toContain('latency')
  })
})

describe('decisions', () => {
  test('tells where requests went and what became of them, the latest first', async () => {
    await serve()
    const {node} = await json('run', 'tiny', 'hi')
    await cli('run', 'none', 'hi')
    const {cluster, decisions} = await json('route', 'decisions')
    expect(cluster).toBe('default')
    const shown = decisions.map((one: Record<string, unknown>) => [
      one.model,
      one.node,
      one.outcome,
    ])
    expect(shown).toEqual([
      ['none:latest', null, 'caller'],
      ['tiny:latest', node, 'ok'],
    ])
    const lines = (await cli('route', 'decisions', '--limit', '1')).stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(1)
    expect(lines[0]?.split('\t')).toEqual([
      decisions[0].at,
      decisions[0].id,
      'none:latest',
      '-',
      '-',
      '0',
      expect.stringMatching(/^\d+$/),
      '-',
      expect.stringMatching(/^\d+$/),
      '-',
      'caller',
    ])
  })

  test('nothing yet is said, and is no failure', async () => {
    await serve()
    const {code, stdout, stderr} = await cli('route', 'decisions')
    expect([code, stdout, stderr]).toEqual([0, '', 'no request has gone through it yet\n'])
  })

  test('without a gateway, or while it does not run, it says what to do', async () => {
    const none = await cli('route', 'decisions')
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('names no gateway')])
    nameGateway(`  url: http://127.0.0.1:${await freePort()}`)
    const gone = await cli('route', 'decisions')
    expect([gone.code, gone.stderr]).toEqual([4, expect.stringContaining('ollamax serve')])
  })

  test('something else that answers there is told from a gateway', async () => {
    nameGateway(`  url: ${nodes[0]?.url}`)
    const {code, stderr} = await cli('route', 'decisions')
    expect(code).toBe(1)
    expect(stderr).toContain('ollamax gateway')
  })
})

describe('replay', () => {
  const columns = (stdout: string) =>
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'))

  test("runs the gateway's latest requests under other policies, and sends nothing to a node", async () => {
    await serve()
    for (const word of ['one', 'two']) await json('run', 'tiny', word)
    await cli('run', 'none', 'hi')
    const before = asked().length
    const {code, stdout, stderr} = await cli(
      ...['route', 'replay', '--policy', 'round-robin', '--policy', 'expected-time'],
    )
    expect(code).toBe(0)
    const rows = columns(stdout)
    expect(rows.map(([name]) => name)).toEqual(['measured', 'round-robin', 'expected-time'])
    for (const row of rows) expect(row).toHaveLength(13)
    expect(rows[1]?.slice(9, 11)).toEqual([expect.stringMatching(/^\d+$/), '0'])
    expect(stderr).toContain('2 requests replayed')
    expect(stderr).toContain('a replay cannot know: ')
    expect(asked()).toHaveLength(before)
  })

  test('what was exported is replayed without the gateway, to the same figures', async () => {
    await serve()
    await json('run', 'tiny', 'hi')
    const {stdout} = await cli('route', 'export')
    const words = ['route', 'replay', '--policy', 'latency', '--json']
    const live = await json(...words)
    expect(live).toMatchObject({requests: 1, leftOut: [], policy: 'expected-time'})
    gateway?.child.kill('SIGKILL')
    const file = join(home.dir, 'monday.jsonl')
    writeFileSync(file, stdout)
    expect(await json('route', 'replay', file, ...words.slice(2))).toEqual(live)
    const piped = await runCli(['route', 'replay', '-', ...words.slice(2)], {
      env: home.env,
      stdin: stdout,
    })
    expect(JSON.parse(piped.stdout)).toEqual(live)
  })

  test('the export is what --json of it promises, and holds no word of a prompt', async () => {
    await serve()
    await json('run', 'tiny', 'secretword')
    const exported = await json('route', 'export')
    expect(exported.requests).toHaveLength(1)
    expect(exported.nodes.map(({node}: {node: string}) => node)).toEqual(['n1', 'n2', 'n3'])
    expect(JSON.stringify(exported)).not.toContain('secretword')
  })

  test('no gateway, no recording, no such file: each says what to do', async () => {
    expect((await cli('route', 'replay')).stderr).toContain('names no gateway')
    const none = await runCli(['route', 'replay', '-'], {env: home.env, stdin: '{}'})
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('ollamax route export')])
    const gone = await cli('route', 'replay', '/none')
    expect([gone.code, gone.stderr]).toEqual([2, expect.stringContaining('/none')])
    nameGateway(`  url: ${nodes[0]?.url}`)
    const {code, stderr} = await cli('route', 'export')
    expect([code, stderr]).toEqual([1, expect.stringContaining('ollamax gateway')])
  })
})
