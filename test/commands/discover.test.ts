import makeMdns from 'multicast-dns'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {clusterHome} from '../support/cluster-home.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli} from '../support/run-cli.ts'
import {type Sshd, startSshd} from '../support/sshd.ts'
import type {TempHome} from '../support/temp-home.ts'

// On loopback alone: nobody else is asked anything.

let home: TempHome
let sshd: Sshd
let ollama: FakeOllama
beforeEach(async () => {
  home = clusterHome([])
  ;[sshd, ollama] = await Promise.all([startSshd(), startFakeOllama({version: '0.33.0'})])
})
afterEach(async () => {
  await Promise.all([sshd.stop(), ollama.close()])
  home.dispose()
})

const cli = (...args: string[]) => runCli(['discover', ...args], {env: home.env})
const ports = () => ['--ssh-port', `${sshd.port}`, '--ollama-port', new URL(ollama.url).port]
const probe = (range: string, ...more: string[]) =>
  cli('--no-mdns', '--range', range, ...ports(), ...more)

test('a range is probed after a yes alone; SSH and Ollama are told apart from what else answers', async () => {
  const asked = await probe('127.0.0.1-127.0.0.3')
  expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('CONFIRM_NEEDED')])
  expect(asked.stderr).toContain('3 addresses')
  expect(ollama.requests).toHaveLength(0)
  const found = await probe('127.0.0.1-127.0.0.3', '--yes', '--json', '--progress', 'json')
  const last = JSON.parse(found.stderr.trimEnd().split('\n').at(-1) ?? '')
  expect(last).toMatchObject({kind: 'bytes', done: 3, total: 3, unit: 'addresses'})
  const {machines} = JSON.parse(found.stdout)
  expect(machines[0]).toMatchObject({
    address: '127.0.0.1',
    ssh: {port: sshd.port, greeting: expect.stringMatching(/^SSH-2\.0-OpenSSH/)},
    ollama: {version: '0.33.0'},
    add: `ollamax node add 127.0.0.1:${sshd.port}`,
  })
  expect(machines).toHaveLength(1)
  expect(ollama.requests.map(({path}) => path)).toEqual(['/api/version'])
  // The other way round, neither is what it is taken for.
  const swapped = await cli(
    ...['--no-mdns', '--range', '127.0.0.1', '--yes'],
    ...['--ssh-port', new URL(ollama.url).port, '--ollama-port', `${sshd.port}`],
  )
  expect([swapped.code, swapped.stdout]).toEqual([0, ''])
  expect(swapped.stderr).toContain('nothing answered')
})

test('a machine that is a node already is named, and nothing is added', async () => {
  const added = await runCli(['node', 'add', ollama.url, '--name', 'mine'], {env: home.env})
  expect(added.code, added.stderr).toBe(0)
  const line = (await probe('127.0.0.1/32', '--yes')).stdout.trimEnd().split('\t')
  expect([line[0], line[3], line[4], line[5]]).toEqual(['127.0.0.1', '0.33.0', 'mine', '-'])
  const {nodes} = JSON.parse((await runCli(['node', 'list', '--json'], {env: home.env})).stdout)
  expect(nodes).toHaveLength(1)
})

test('no more is probed than allowed, and no faster', async () => {
  const many = await probe('10.0.0.0/8', '--yes')
  expect([many.code, many.stderr]).toEqual([2, expect.stringContaining('at most 1024')])
  const since = performance.now()
  await probe('127.0.0.1-127.0.0.10', '--yes', '--rate', '10')
  expect(performance.now() - since).toBeGreaterThan(1900)
  const nothing = await cli('--no-mdns')
  expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining('nowhere to look')])
})

test('what announces itself by multicast DNS is found', async () => {
  const mdns = makeMdns({interface: '127.0.0.1', bind: '0.0.0.0'})
  mdns.on('query', ({questions}) => {
    for (const {name} of questions ?? []) {
      if (name === '_ssh._tcp.local')
        mdns.respond({
          answers: [{name, type: 'PTR', data: `gpu-7.${name}`}],
          additionals: [
            {name: `gpu-7.${name}`, type: 'SRV', data: {target: 'gpu-7.local', port: 22}},
          ],
        })
      // Asked for by name, as it was not told with the rest.
      if (name === 'gpu-7.local') mdns.respond([{name, type: 'A', data: '127.0.0.77', ttl: 60}])
    }
  })
  const found = await cli('--listen', '2s', '--interface', '127.0.0.1', '--json')
  await new Promise<void>((resolve) => mdns.destroy(resolve))
  expect(found.code, found.stderr).toBe(0)
  const {machines} = JSON.parse(found.stdout)
  expect(machines).toContainEqual({
    address: '127.0.0.77',
    name: 'gpu-7',
    ssh: {port: 22},
    add: 'ollamax node add 127.0.0.77',
  })
})
