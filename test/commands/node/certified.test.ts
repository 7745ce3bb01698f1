import {copyFileSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, beforeAll, expect, test} from 'vitest'
import {makeCertificate, publicWords} from '../../support/certificate.ts'
import {type FakeOllama, startFakeOllama} from '../../support/fake-ollama.ts'
import {runCli} from '../../support/run-cli.ts'
import {makeKey, type Sshd, startSshd} from '../../support/sshd.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
let ollama: FakeOllama
let sshd: Sshd
beforeAll(async () => {
  home = tempHome()
  ollama = await startFakeOllama()
  const names = '127.0.0.1'
  sshd = await startSshd({
    sshConfig: ['StrictHostKeyChecking yes'],
    prepare: (dir) => {
      const authority = makeKey(join(dir, 'ca'))
      const file = makeCertificate(join(dir, 'host_ed25519'), {authority, names})
      return [`HostCertificate ${file}`]
    },
  })
  const ca = publicWords(join(sshd.dir, 'ca.pub'))
  writeFileSync(sshd.knownHosts, `@cert-authority 127.0.0.1 ${ca}\n`)
})
afterAll(async () => {
  await cli('holder', '--stop')
  await sshd?.stop()
  await ollama?.close()
  home?.dispose()
})

const cli = (...args: string[]) =>
  runCli(args, {env: {...home.env, OLLAMAX_SSH_CONFIG: sshd.configFile}})

test('a node whose host key an authority vouches for is not pinned, and may get a new key under it', async () => {
  const flags = ['--no-install', '--port', String(ollama.port), '--yes']
  const added = await cli('node', 'add', sshd.target, '--name', 'one', ...flags)
  expect(added.code, added.stderr).toBe(0)
  const cluster = readFileSync(join(home.env.OLLAMAX_HOME ?? '', 'clusters/default.yaml'), 'utf8')
  expect(cluster).toContain(sshd.target)
  expect(cluster).not.toContain('hostKey')
  const first = await cli('run', 'tiny', 'hello')
  expect([first.code, first.stdout.trim() !== '']).toEqual([0, true])

  await cli('holder', '--stop')
  await sshd.kill()
  const old = sshd.fingerprint()
  const key = join(sshd.dir, 'host_ed25519')
  const next = makeKey(join(sshd.dir, 'next'))
  copyFileSync(next, key)
  copyFileSync(`${next}.pub`, `${key}.pub`)
  makeCertificate(key, {authority: join(sshd.dir, 'ca'), names: '127.0.0.1'})
  await sshd.start()
  expect(sshd.fingerprint()).not.toBe(old)
  const again = await cli('run', 'tiny', 'hello')
  expect([again.code, again.stderr]).toEqual([0, ''])
  expect(again.stdout.trim()).not.toBe('')
})
