import {execFileSync} from 'node:child_process'
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {Agent, request as sendHttp} from 'node:http'
import {request as sendHttps} from 'node:https'
import {join} from 'node:path'
import {text} from 'node:stream/consumers'
import {afterEach, beforeEach, describe, expect, onTestFinished, test} from 'vitest'
import type {FakeOptions} from '../support/fake-ollama/options.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli, startCli} from '../support/run-cli.ts'
import {type RunningServe, startServe} from '../support/serve.ts'
import {freePort} from '../support/sshd.ts'
import {type TempHome, tempHome} from '../support/temp-home.ts'
import {waitFor} from '../support/wait-for.ts'

let home: TempHome
const nodes: FakeOllama[] = []
const running: RunningServe[] = []
beforeEach(() => {
  home = tempHome()
})
afterEach(async () => {
  for (const {child, ended} of running.splice(0)) {
    child.kill('SIGKILL')
    await ended
  }
  await Promise.all(nodes.splice(0).map((node) => node.close()))
  home.dispose()
})

async function node(options: FakeOptions = {}) {
  const started = await startFakeOllama(options)
  nodes.push(started)
  return started
}

const clusters = () => join(home.dir, 'ollamax/clusters')

/** Writes a cluster file with these nodes, called n1, n2...; `more` goes into the entries. */
function write(list: readonly {readonly url: string}[], more = '', name = 'default') {
  mkdirSync(clusters(), {recursive: true})
  const entries = list.map(({url}, at) => `  - {name: n${at + 1}, url: "${url}"${more}}`)
  const file = join(clusters(), `${name}.yaml`)
  writeFileSync(
    file,
    ['apiVersion: ollamax/v1', 'kind: Cluster', 'nodes:', ...entries, ''].join('\n'),
  )
  return file
}

async function serve(args: readonly string[] = [], wrap?: readonly string[]) {
  const started = await startServe(args, {env: home.env, ...(wrap ? {wrap} : {})})
  running.push(started)
  return started
}

const cli = (...args: string[]) => runCli(args, {env: home.env})
const createKey = async (name: string) => (await cli('key', 'create', name)).stdout.trim()

const ask = (url: string, headers: Readonly<Record<string, string>> = {}, stream = true) =>
  fetch(`${url}/api/generate`, {
    method: 'POST',
    body: JSON.stringify({model: 'tiny', prompt: 'hi', stream}),
    headers,
  })

const tokensIn = (answer: string) =>
  answer
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({response}) => response).length

/** Slow enough that something can happen meanwhile. */
const SLOW = {decodeTokensPerS: 60, answerTokens: 150}

/** A stream that has begun, and the rest of it. */
async function begun(url: string) {
  const reply = await ask(url)
  const reader = reply.body?.getReader()
  const first = await reader?.read()
  const whole = async () => {
    const chunks = [Buffer.from(first?.value ?? [])]
    for (;;) {
      const next = await reader?.read()
      if (!next || next.done) return Buffer.concat(chunks).toString()
      chunks.push(Buffer.from(next.value))
    }
  }
  return {by: reply.headers.get('x-ollamax-node'), whole: whole()}
}

describe('it listens', () => {
  test('says where, which cluster, how many nodes of it are up, and answers', async () => {
    write([await node(), {url: 'http://127.0.0.1:1'}], '', 'lab')
    const {url, log} = await serve(['--cluster', 'lab'])
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(log().find(({msg}) => msg === 'listening')).toMatchObject({
      url,
      cluster: 'lab',
      nodes: 2,
      up: 1,
      keys: false,
    })
    expect(await (await fetch(url)).text()).toBe('Ollama is running')
    expect(tokensIn(await (await ask(url)).text())).toBe(16)
    const names = (await (await fetch(`${url}/api/tags`)).json()) as {models: {name: string}[]}
    expect(names.models.map(({name}) => name)).toEqual(['tiny:latest'])
  })

  test('without any node it starts too, and says what is missing', async () => {
    const {url, logged} = await serve()
    expect((await logged('the cluster has no nodes')).level).toBe('warn')
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    expect((await fetch(`${url}/readyz`)).status).toBe(503)
  })

  test('an address that is taken is an error that names it', async () => {
    write([await node()])
    const {url} = await serve()
    const address = url.replace('http://', '')
    const {code, stderr} = await cli('serve', '--listen', address)
    expect(code).toBe(2)
    expect(stderr).toContain(`cannot listen on ${address}`)
    expect(stderr).toContain('EADDRINUSE')
    expect(stderr).toContain('--listen')
  })

  test.each(['here:there', '1.2.3.4:99999', 'a b'])('%j is refused as an address', async (at) => {
    expect((await cli('serve', '--listen', at)).code).toBe(2)
  })

  test('with a certificate it speaks TLS', async () => {
    write([await node()])
    const [cert, key] = [join(home.dir, 'cert.pem'), join(home.dir, 'key.pem')]
    const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
    const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    execFileSync('openssl', [...made, '-keyout', key, '-out', cert, '-days', '2', ...name], {
      stdio: 'ignore',
    })
    const {url} = await serve(['--tls-cert', cert, '--tls-key', key])
    expect(url).toMatch(/^https:/)
    const reply = await new Promise<string>((resolve, reject) => {
      const to = url.replace('127.0.0.1', 'localhost')
      const sent = sendHttps(
        `${to}/api/generate`,
        {method: 'POST', ca: readFileSync(cert)},
        (got) => resolve(text(got)),
      )
      sent.once('error', reject)
      sent.end(JSON.stringify({model: 'tiny', prompt: 'hi'}))
    })
    expect(tokensIn(reply)).toBe(16)
    const missing = await cli('serve', '--tls-cert', cert, '--tls-key', '/nowhere')
    expect(missing.code).toBe(2)
    expect(missing.stderr).toContain('/nowhere cannot be read')
  })

  test('--config serves a cluster file that lies anywhere, with the keys beside it', async () => {
    write([{url: 'http://127.0.0.1:1'}])
    const directory = join(home.dir, 'etc')
    mkdirSync(directory)
    const file = join(directory, 'fleet.yaml')
    const {url: to} = await node()
    writeFileSync(
      file,
      `apiVersion: ollamax/v1\nkind: Cluster\nnodes:\n  - {name: a, url: "${to}"}\n`,
    )
    const {url, log} = await serve(['--config', file])
    expect(log().find(({msg}) => msg === 'listening')).toMatchObject({cluster: 'fleet', up: 1})
    expect((await ask(url)).headers.get('x-ollamax-node')).toBe('a')
    await createKey('alice')
    const keys = readFileSync(join(clusters(), 'default.keys.json'))
    expect((await ask(url)).status).toBe(200)
    writeFileSync(join(directory, 'fleet.keys.json'), keys)
    await waitFor('a key to be wanted', async () => (await ask(url)).status === 401)
  })

  test('--config with no such file, or one whose name cannot be a cluster, is an error', async () => {
    const missing = await cli('serve', '--config', join(home.dir, 'none.yaml'))
    expect([missing.code, missing.stderr]).toEqual([3, expect.stringContaining('none.yaml')])
    const bad = await cli('serve', '--config', join(home.dir, 'my fleet.yaml'))
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('bad cluster name')])
  })
})

describe('who may use it', () => {
  test('beyond loopback it refuses to start without keys and says what to do', async () => {
    write([await node()])
    const {code, stderr} = await cli('serve', '--listen', `0.0.0.0:${await freePort()}`)
    expect(code).toBe(2)
    expect(stderr).toContain('0.0.0.0 can be reached from other machines')
    expect(stderr).toContain('ollamax key create')
    expect(stderr).toContain('--open-to-network')
  })

  test('--open-to-network lets everybody in', async () => {
    write([await node()])
    const port = await freePort()
    await serve(['--listen', `0.0.0.0:${port}`, '--open-to-network'])
    expect((await ask(`http://127.0.0.1:${port}`)).status).toBe(200)
  })

  test('with a key it starts there, and nobody comes in without one', async () => {
    write([await node()])
    const token = await createKey('alice')
    const port = await freePort()
    await serve(['--listen', `0.0.0.0:${port}`])
    const url = `http://127.0.0.1:${port}`
    expect((await ask(url)).status).toBe(401)
    expect((await ask(url, {authorization: `Bearer ${token}x`})).status).toBe(401)
    expect((await ask(url, {authorization: `Bearer ${token}`})).status).toBe(200)
    expect((await ask(url, {'x-api-key': token})).status).toBe(200)
    expect((await ask(`${url}/t/${token}`)).status).toBe(200)
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
  })

  test('a key is needed from the first one on, also after the last one was revoked', async () => {
    write([await node()])
    const {url} = await serve()
    expect((await ask(url)).status).toBe(200)
    const token = await createKey('alice')
    await waitFor('a key to be wanted', async () => (await ask(url)).status === 401)
    expect((await ask(url, {'x-api-key': token})).status).toBe(200)
    await cli('key', 'revoke', 'alice', '--yes')
    await waitFor(
      'the key to end',
      async () => (await ask(url, {'x-api-key': token})).status === 401,
    )
    expect((await ask(url)).status).toBe(401)
  })
})

describe('it ends', () => {
  test('SIGTERM lets a running stream come whole, takes nothing new, and it exits with 0', async () => {
    write([await node({...SLOW, slots: 2})])
    const {url, child, ended, logged} = await serve()
    const agent = new Agent({keepAlive: true, maxSockets: 1})
    onTestFinished(() => agent.destroy())
    const status = (path: string) =>
      new Promise<number>((resolve, reject) => {
        const sent = sendHttp(`${url}${path}`, {agent}, (got) => {
          got.resume()
          got.once('end', () => resolve(got.statusCode ?? 0))
        })
        sent.once('error', reject)
        sent.end()
      })
    const stream = await begun(url)
    child.kill('SIGTERM')
    await logged('shutting down')
    await expect(status('/api/tags')).rejects.toThrow('ECONNREFUSED')
    expect(tokensIn(await stream.whole)).toBe(150)
    expect(await ended).toMatchObject({code: 0})
  })

  test('a request that is still being sent when the signal comes is answered', async () => {
    write([await node({...SLOW, answerTokens: 60, slots: 2})])
    const {url, child, ended, logged} = await serve()
    const late = new Promise<number>((resolve, reject) => {
      const sent = sendHttp(`${url}/api/generate`, {method: 'POST'}, (got) => {
        got.resume()
        resolve(got.statusCode ?? 0)
      })
      sent.once('error', reject)
      sent.write('{"model": "tiny",')
      void begun(url).then(async ({whole}) => {
        child.kill('SIGTERM')
        await logged('shutting down')
        sent.end('"prompt": "hi", "stream": false}')
        await whole
      }, reject)
    })
    expect(await late).toBe(200)
    expect(await ended).toMatchObject({code: 0})
  })

  test('at the end of --drain-timeout what still runs is broken off', async () => {
    write([await node({...SLOW, answerTokens: 5000})])
    const {url, child, ended} = await serve(['--drain-timeout', '300ms'])
    const stream = await begun(url)
    child.kill('SIGTERM')
    await expect(stream.whole).rejects.toThrow()
    expect(await ended).toMatchObject({code: 0})
  })

  test('a second signal ends it at once', async () => {
    write([await node({...SLOW, answerTokens: 5000})])
    const {url, child, ended, logged} = await serve()
    const stream = await begun(url)
    const broken = stream.whole.catch(() => 'broken')
    child.kill('SIGTERM')
    await logged('shutting down')
    child.kill('SIGTERM')
    expect((await ended).code).toBe(143)
    expect(await broken).toBe('broken')
  })

  test('--json tells at the end where it listened', async () => {
    write([await node()])
    const {url, child, ended} = await serve(['--json'])
    child.kill('SIGINT')
    const {code, stdout} = await ended
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({url})
  })
})

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
      env: home.env,
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
