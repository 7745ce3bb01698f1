import {execFileSync} from 'node:child_process'
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {Agent, request as sendHttp} from 'node:http'
import {request as sendHttps} from 'node:https'
import {join} from 'node:path'
import {text} from 'node:stream/consumers'
import {describe, expect, onTestFinished, test} from 'vitest'
import {ask, begun, SLOW, serveHarness, tokensIn} from '../support/serve-harness.ts'
import {freePort} from '../support/sshd.ts'
import {waitFor} from '../support/wait-for.ts'

const {home, clusters, cli, createKey, node, write, serve} = serveHarness()

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
    const [cert, key] = [join(home().dir, 'cert.pem'), join(home().dir, 'key.pem')]
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
    const swapped = await cli('serve', '--tls-cert', key, '--tls-key', cert)
    expect(swapped.code).toBe(2)
    expect(swapped.stderr).toContain('the certificate or its key cannot be used')
  })

  test('--config serves a cluster file that lies anywhere, with the keys beside it', async () => {
    write([{url: 'http://127.0.0.1:1'}])
    const directory = join(home().dir, 'etc')
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
    const missing = await cli('serve', '--config', join(home().dir, 'none.yaml'))
    expect([missing.code, missing.stderr]).toEqual([3, expect.stringContaining('none.yaml')])
    const bad = await cli('serve', '--config', join(home().dir, 'my fleet.yaml'))
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

  test('at the end of --drain-timeout what still runs ends in an error', async () => {
    write([await node({...SLOW, answerTokens: 5000})])
    const {url, child, ended} = await serve(['--drain-timeout', '300ms'])
    const stream = await begun(url)
    child.kill('SIGTERM')
    const last = (await stream.whole).trimEnd().split('\n').at(-1) ?? ''
    expect(JSON.parse(last)).toEqual({error: expect.stringContaining('the gateway was shut down')})
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
