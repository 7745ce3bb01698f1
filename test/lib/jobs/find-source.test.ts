import {once} from 'node:events'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {afterEach, expect, test} from 'vitest'
import {findSource} from '../../../src/lib/jobs/find-source.ts'
import type {Facts} from '../../../src/lib/provision/facts.ts'
import {dial} from '../../../src/lib/ssh/dial.ts'
import type {Remote} from '../../../src/lib/ssh/remote.ts'
import {resolveTarget} from '../../../src/lib/ssh/target.ts'
import {pathsFor} from '../../../src/lib/state/paths.ts'
import {bareHost} from '../../support/facts.ts'
import {startSshd} from '../../support/sshd.ts'

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

/** A site whose list of checksums has no end; tells how much of it was taken. */
async function startEndless() {
  let sent = 0
  const endless = createServer((request, response) => {
    if (!request.url?.endsWith('sha256sum.txt')) return void response.writeHead(404).end()
    const line = Buffer.from(`${'0'.repeat(64)}  ./other\n`.repeat(1000))
    const more = () => {
      while (!response.destroyed && response.write(line)) sent += line.length
    }
    response.on('drain', more)
    more()
  })
  endless.listen(0, '127.0.0.1')
  await once(endless, 'listening')
  return {
    base: `http://127.0.0.1:${(endless.address() as AddressInfo).port}`,
    sent: () => sent,
    async close() {
      endless.closeAllConnections()
      await new Promise((resolve) => endless.close(resolve))
    },
  }
}

test.each(['here', 'there'])(
  'a list of checksums without end is given up, asked from %s',
  async (side) => {
    const site = await startEndless()
    const sshd = await startSshd()
    const target = await resolveTarget(sshd.target, {env: sshd.env})
    const remote = await dial(target, {env: sshd.env, accept: true})
    try {
      const found = findSource(
        {
          env: {OLLAMAX_RELEASES: site.base},
          paths: pathsFor({OLLAMAX_HOME: '/nowhere'}),
          signal: new AbortController().signal,
        },
        remote,
        {
          facts: bareHost({reachesReleases: side === 'there'}),
          version: '0.33.0',
          subject: 'h',
          report: () => {},
          dryRun: true,
          downloads: new Map(),
        },
      )
      await expect(found).rejects.toMatchObject({
        code: 'DOWNLOAD_FAILED',
        message: expect.stringContaining('sha256sum.txt is longer than 1 MiB'),
      })
      expect(site.sent()).toBeLessThan(64 * 2 ** 20)
    } finally {
      await remote.close()
      await sshd.stop()
      await site.close()
    }
  },
)

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
