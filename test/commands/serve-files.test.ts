import {execFileSync} from 'node:child_process'
import {appendFileSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, onTestFinished, test} from 'vitest'
import {startCli} from '../support/run-cli.ts'
import {ask, begun, SLOW, serveHarness, tokensIn} from '../support/serve-harness.ts'
import {freePort} from '../support/sshd.ts'
import {waitFor} from '../support/wait-for.ts'

const {home, clusters, cli, createKey, node, write, serve} = serveHarness()

describe('its files are watched', () => {
  test('nodes come and go while a stream runs, and the stream does not notice', async () => {
    const [first, second] = [await node(SLOW), await node()]
    write([first])
    const {url, logged} = await serve()
    const stream = await begun(url)
    write([first, second], ', drained: false')
    await logged('read the changed cluster file')
    const draining = readFileSync(join(clusters(), 'default.yaml'), 'utf8')
    writeFileSync(
      join(clusters(), 'default.yaml'),
      draining.replace('drained: false', 'drained: true'),
    )
    await waitFor('the new node to be used', async () => {
      const reply = await ask(url, {}, false)
      await reply.text()
      return reply.headers.get('x-ollamax-node') === 'n2'
    })
    expect(stream.by).toBe('n1')
    expect(tokensIn(await stream.whole)).toBe(150)
  })

  test('a node that is taken out while it answers ends its answer', async () => {
    const [first, second] = [await node(SLOW), await node()]
    write([first])
    const {url, logged} = await serve()
    const stream = await begun(url)
    write([second])
    await logged('read the changed cluster file')
    expect(tokensIn(await stream.whole)).toBe(150)
  })

  test('hedging begins when the file comes to want it, and is in the log', async () => {
    const behaviour = {slots: 1, firstTokenDelayMs: 20, answerTokens: 2}
    const [first, second] = [await node(behaviour), await node(behaviour)]
    const slots = ', ollama: {env: {OLLAMA_NUM_PARALLEL: 1}}'
    const file = write([first, second], slots)
    const {url, logged, log} = await serve()
    const told = async (headers: Readonly<Record<string, string>>) => {
      const reply = await ask(url, headers)
      await reply.text()
      return reply.headers.get('x-ollamax-attempts')
    }
    for (let round = 0; round < 24; round++)
      await Promise.all(['n1', 'n2'].map((name) => told({'x-ollamax-node': name})))
    appendFileSync(file, 'gateway: {url: "http://127.0.0.1:1", hedge: true}\n')
    await logged('read the changed cluster file')
    await told({'x-ollamax-node': 'n2'})
    await first.set({fault: {kind: 'hang', on: 'inference', times: 1}})
    expect(await told({'x-ollamax-policy': 'round-robin'})).toBe('2')
    const line = await waitFor('its line', () => log().find(({hedge}) => hedge === 'won'))
    expect(line).toMatchObject({node: 'n2', attempts: 2, outcome: 'ok', reason: 'warm, hedge'})
  })

  test('a broken cluster file changes nothing, is said in the log, and a mended one is read', async () => {
    const [first, second] = [await node(), await node()]
    const file = write([first])
    const {url, logged, log} = await serve()
    writeFileSync(
      file,
      'apiVersion: ollamax/v1\nkind: Cluster\nnodes:\n  - {name: n1, urll: "x"}\n',
    )
    const warning = await logged('a changed file is not used')
    expect(warning.level).toBe('warn')
    expect(String(warning.msg)).toContain('default.yaml:4')
    expect((await ask(url)).status).toBe(200)
    write([first, second])
    expect(await logged('read the changed cluster file')).toMatchObject({nodes: 2})
    expect(log().filter(({level}) => level === 'warn')).toHaveLength(1)
  })

  test('a broken keys file keeps the old keys, and a broken cluster file keeps no revoked one', async () => {
    const file = write([await node()])
    const [alice, bob] = [await createKey('alice'), await createKey('bob')]
    const {url, logged} = await serve()
    const status = async (token: string) => (await ask(url, {'x-api-key': token})).status
    const keys = join(clusters(), 'default.keys.json')
    const good = readFileSync(keys)
    writeFileSync(keys, '{"format": 1, "keys": [')
    expect(String((await logged('a changed file is not used')).msg)).toContain(keys)
    expect([await status(alice), await status('none')]).toEqual([200, 401])
    writeFileSync(keys, good)
    const whole = readFileSync(file)
    await cli('key', 'revoke', 'alice', '--yes')
    writeFileSync(file, 'nodes: [')
    await waitFor('the key to end', async () => (await status(alice)) === 401)
    expect(await status(bob)).toBe(200)
    writeFileSync(file, whole)
  })

  test('a cluster file that is gone is not an empty one', async () => {
    const file = write([await node()])
    const {url, logged} = await serve()
    execFileSync('mv', [file, `${file}.away`])
    expect(String((await logged('a changed file is not used')).msg)).toContain('is gone')
    expect((await ask(url)).status).toBe(200)
  })
})

describe('its log', () => {
  test('has one JSON line for each request and never a token', async () => {
    write([await node()])
    const token = await createKey('alice')
    const {url, child, ended, log} = await serve()
    await (await ask(`${url}/t/${token}`)).text()
    await (await ask(url, {authorization: `Bearer ${token}`})).text()
    await (await ask(url, {'x-api-key': token})).text()
    await (await ask(url)).text()
    await (await fetch(`${url}/t/${token}/no/such/page`)).text()
    await (await fetch(`${url}/t/${token}wrong/api/tags`)).text()
    await (await fetch(`${url}/api/tags?key=${token}`, {headers: {'x-api-key': token}})).text()
    child.kill('SIGTERM')
    const {stdout, stderr} = await ended
    const lines = log().filter(({msg}) => msg === 'request')
    expect(lines.map(({route, status}) => [route, status])).toEqual([
      ['/api/generate', 200],
      ['/api/generate', 200],
      ['/api/generate', 200],
      ['/api/generate', 401],
      ['unknown', 404],
      ['/api/tags', 401],
      ['/api/tags', 200],
    ])
    expect(lines[0]).toMatchObject({
      level: 'info',
      method: 'POST',
      model: 'tiny:latest',
      node: 'n1',
      outcome: 'ok',
      attempts: 1,
      answerTokens: 16,
    })
    expect(new Set(lines.map(({id}) => id)).size).toBe(lines.length)
    expect(stdout + stderr).not.toContain(token.slice('ollamax_'.length))
  })

  test('a reader that leaves does not stop it', async () => {
    write([await node()])
    const {url, child, ended} = await serve()
    child.stderr.destroy()
    for (let at = 0; at < 5; at++) expect((await ask(url)).status).toBe(200)
    // Its lines are written at the latest 100 ms later, and it has to outlive that.
    await waitFor('lines to be lost', async () =>
      /ollamax_log_dropped_total [1-9]/.test(await (await fetch(`${url}/metrics`)).text()),
    )
    child.kill('SIGTERM')
    expect((await ended).code).toBe(0)
  })

  test('a full disk does not stop it', async () => {
    write([await node()])
    const port = await freePort()
    const full = startCli(['serve', '--listen', `127.0.0.1:${port}`], {
      env: home().env,
      wrap: ['sh', '-c', 'exec "$@" 2>/dev/full', 'sh'],
    })
    onTestFinished(() => void full.child.kill('SIGKILL'))
    const url = `http://127.0.0.1:${port}`
    await waitFor('an answer', async () => (await ask(url)).status === 200)
    await waitFor('lines to be lost', async () =>
      /ollamax_log_dropped_total [1-9]/.test(await (await fetch(`${url}/metrics`)).text()),
    )
    expect((await ask(url)).status).toBe(200)
    full.child.kill('SIGTERM')
    expect((await full.ended).code).toBe(0)
  })
})
