import {once} from 'node:events'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {afterEach, expect, test} from 'vitest'
import {findSource} from '../../../src/lib/jobs/find-source.ts'
import type {Facts} from '../../../src/lib/provision/facts.ts'
import type {Remote} from '../../../src/lib/ssh/remote.ts'
import {pathsFor} from '../../../src/lib/state/paths.ts'
import {bareHost} from '../../support/facts.ts'

const files: Readonly<Record<string, string>> = {
  'ollama-linux-amd64.tar.zst': 'a'.repeat(64),
  'ollama-linux-arm64.tar.zst': 'b'.repeat(64),
  'ollama-darwin.tgz': 'c'.repeat(64),
}

const server = createServer((request, response) => {
  if (request.url === '/latest')
    return void response.writeHead(302, {location: '/tag/v0.33.0'}).end()
  if (request.url === '/download/v0.33.0/sha256sum.txt')
    return void response.end(
      Object.entries(files)
        .map(([name, sum]) => `${sum}  ./${name}\n`)
        .join(''),
    )
  response.writeHead(request.url === '/tag/v0.33.0' ? 200 : 404).end()
})

afterEach(() => void server.close())

const macMini: Partial<Facts> = {os: 'darwin', arch: 'arm64', tools: ['tar', 'gzip', 'curl']}

test('each host is given the archive of its system and processor, with the checksum of the release', async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const no = () => Promise.reject(new Error('nothing is asked of the host'))
  const remote: Remote = {
    target: 'h',
    hostKey: '',
    certified: false,
    exec: no,
    put: no,
    forward: no,
    shell: no,
    close: async () => {},
  }
  const env = {OLLAMAX_RELEASES: base}
  const tools = {
    env,
    paths: pathsFor({OLLAMAX_HOME: '/nowhere'}),
    signal: new AbortController().signal,
  }
  const ask = (change: Partial<Facts>) =>
    findSource(tools, remote, {
      facts: bareHost(change),
      version: undefined,
      subject: 'h',
      report: () => {},
      dryRun: true,
      downloads: new Map(),
    })
  const table: [Partial<Facts>, string, 'gz' | 'zst'][] = [
    [{}, 'ollama-linux-amd64.tar.zst', 'zst'],
    [{arch: 'arm64'}, 'ollama-linux-arm64.tar.zst', 'zst'],
    [macMini, 'ollama-darwin.tgz', 'gz'],
    [{...macMini, arch: 'amd64'}, 'ollama-darwin.tgz', 'gz'],
  ]
  for (const [change, file, format] of table)
    expect(await ask(change)).toMatchObject({
      kind: 'fetch',
      version: '0.33.0',
      url: `${base}/download/v0.33.0/${file}`,
      sha256: files[file],
      format,
    })
})
