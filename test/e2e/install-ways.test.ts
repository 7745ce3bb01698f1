import {copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {installExternally} from '../lab/external-ollama.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import {waitFor} from '../support/wait-for.ts'

const test = needs(...LAB_NEEDS)
const artifacts: Artifact[] = []
let lab: Lab
let old: Artifact
let zst: Artifact

// Each test finds a bare host and leaves one.
beforeAll(async () => {
  old = await make({version: '0.30.0'})
  zst = await make({format: 'tar.zst'})
  lab = await startLab({hosts: 2})
})
afterAll(async () => {
  await lab?.close()
  for (const artifact of artifacts) artifact.dispose()
})

async function make(options: Parameters<typeof makeArtifact>[0]): Promise<Artifact> {
  const artifact = await makeArtifact(options)
  artifacts.push(artifact)
  return artifact
}

interface Row {
  readonly outcome: string
  readonly install: string
  readonly version: string
  readonly steps: readonly {readonly title: string}[]
}

async function add(words: readonly string[], env: Record<string, string> = {}): Promise<Row> {
  const args = ['node', 'add', ...words, '--accept-host-key', '--json', '--progress', 'none']
  const done = await lab.cli(args, {env})
  expect(done).toMatchObject({code: 0})
  return JSON.parse(done.stdout).nodes[0]
}

async function remove(name: string): Promise<{restored?: string; left: readonly string[]}> {
  const done = await lab.cli(['node', 'remove', name, '--uninstall', '--yes', '--json'])
  expect(done).toMatchObject({code: 0})
  return JSON.parse(done.stdout).nodes[0]
}

/** Everything on a host's disk that an installation could change. */
const traces = (host: number): Promise<string> =>
  lab.exec(
    host,
    `find /etc /opt /usr /var/lib /home -xdev ! -path '*/.ollama*' ! -name '*-' -printf '%p %y %u %m %l\\n' | sort
     cat /etc/passwd /etc/group`,
  )

test('an Ollama of others is adopted by a drop-in, upgraded beside, and given back as it was', async () => {
  await installExternally(lab, 1, {artifact: old})
  await lab.exec(
    1,
    'sed -i "/^User=/a Environment=OLLAMA_HOST=0.0.0.0" /etc/systemd/system/ollama.service',
  )
  await lab.exec(
    1,
    'systemctl daemon-reload; systemctl restart ollama; rm -f /etc/fake-ollama.json',
  )
  const before = await traces(1)
  const unasked = await lab.cli(['node', 'add', 'h1', '--accept-host-key'])
  expect(unasked.code).toBe(2)
  expect(unasked.stderr).toContain('CONFIRM_NEEDED')
  expect(await traces(1)).toBe(before)
  const adopted = await add(['h1', '--yes'])
  expect(adopted).toMatchObject({outcome: 'added', install: 'system', version: '0.30.0'})
  expect(adopted.steps.map(({title}) => title)).toEqual(['write the drop-in', 'start Ollama'])
  const heard = await lab.exec(1, 'ss -Hltn "sport = :11434"')
  expect(heard).toContain('127.0.0.1:11434')
  expect(heard).not.toContain('0.0.0.0:11434')
  const upgraded = await add(['h1', '--artifact', zst.file, '--ollama-version', '0.33.0'])
  expect(upgraded).toMatchObject({outcome: 'changed', version: '0.33.0'})
  const removed = await remove('h1')
  expect(removed.restored).toBe('0.30.0')
  expect(removed.left.join()).toContain('belong to the Ollama that was there before')
  expect(await traces(1)).toBe(before)
  await lab.exec(
    1,
    `systemctl disable -q --now ollama; rm -r /etc/systemd/system/ollama.service /usr/local/bin/ollama /usr/local/lib/ollama
     userdel -r ollama 2>/dev/null; systemctl daemon-reload`,
  )
})

test('an earlier version is switched back to without its archive', async () => {
  await add(['h1', '--artifact', old.file, '--ollama-version', '0.30.0'])
  expect(await add(['h1', '--artifact', zst.file])).toMatchObject({version: '0.33.0'})
  const back = await add(['h1', '--ollama-version', '0.30.0'])
  expect(back).toMatchObject({outcome: 'changed', version: '0.30.0'})
  expect(back.steps.map(({title}) => title)).toEqual(['switch to 0.30.0', 'start Ollama'])
  await remove('h1')
})

test('an account without root gets a service of its own that survives a reboot', async () => {
  await lab.exec(1, 'loginctl enable-linger joe')
  const before = await traces(1)
  const added = await add(['joe@h1', '--artifact', zst.file])
  expect(added).toMatchObject({outcome: 'added', install: 'user', version: '0.33.0'})
  await lab.power.reboot(1)
  const up = async () => (await add(['joe@h1'])).outcome === 'unchanged'
  await waitFor('the service of the account', up, {timeoutMs: 20_000})
  await remove('h1')
  expect(await traces(1)).toBe(before)
  await lab.exec(1, 'loginctl disable-linger joe; rm -rf /home/joe/.ollama')
})

test('a host without curl and zstd, whose sudo insists on a terminal, takes a .tar.zst all the same', async () => {
  await lab.exec(
    1,
    `mv /usr/bin/zstd /usr/bin/zstd.off; mv /usr/bin/curl /usr/bin/curl.off
     echo 'Defaults requiretty' >/etc/sudoers.d/zz`,
  )
  expect(await add(['h1', '--artifact', zst.file])).toMatchObject({version: '0.33.0'})
  expect(await add(['h1', '--artifact', zst.file])).toMatchObject({outcome: 'unchanged', steps: []})
  await remove('h1')
  await lab.exec(
    1,
    `mv /usr/bin/zstd.off /usr/bin/zstd; mv /usr/bin/curl.off /usr/bin/curl; rm /etc/sudoers.d/zz`,
  )
})

test('the release is downloaded by the host if it can, else here and carried', async () => {
  const site = await startSite()
  try {
    const there = await add(['h1'], {OLLAMAX_RELEASES: `http://10.77.0.1:${site.port}/r`})
    expect(there.steps[0]?.title).toBe('download Ollama 0.33.0')
    const here = await add(['h2'], {OLLAMAX_RELEASES: `http://127.0.0.1:${site.port}/r`})
    expect(here.steps[0]?.title).toBe('carry the archive over')
    expect(here.version).toBe('0.33.0')
  } finally {
    await site.stop()
  }
  await remove('h1')
  await remove('h2')
})

const MOMENTS = ['look at', 'carry', 'unpack', 'create', 'switch', 'service', 'start Ol', 'verify']

test.each(MOMENTS)('killed at "%s", the same command again completes it', async (moment) => {
  const words = ['node', 'add', 'h2', '--artifact', zst.file, '--accept-host-key']
  const running = lab.startCli([...words, '--progress', 'json'])
  const step = new RegExp(`"start".*${moment}`)
  await waitFor(`the step ${moment}`, () => step.test(running.stderr()), {everyMs: 2})
  running.child.kill('SIGKILL')
  await running.ended
  expect(await add(['h2', '--artifact', zst.file])).toMatchObject({version: '0.33.0'})
  expect(await add(['h2', '--artifact', zst.file])).toMatchObject({outcome: 'unchanged'})
  await remove('h2')
})

/** Puts a program of ours before one of the host's for root's scripts. */
const instead = (program: string, text: string): Promise<string> =>
  lab.exec(
    1,
    `printf '#!/bin/sh\\n%s\\n' '${text}' >/usr/local/sbin/${program}; chmod 755 /usr/local/sbin/${program}`,
  )

test.each(['ops', 'pat'])(
  'what root does for %s ends when the command is broken off',
  async (user) => {
    const env = {OLLAMAX_SUDO_PASSWORD: 'pat-pw'}
    // Unpacking that takes for ever, as on a slow disk.
    await instead('tar', 'exec sleep 4711')
    const unpacking = (): Promise<string> => lab.exec(1, 'pgrep -fc "^sleep 4711" || :')
    const words = ['node', 'add', `${user}@h1`, '--artifact', zst.file, '--accept-host-key']
    const running = lab.startCli(words, {env})
    await waitFor('the unpacking', async () => (await unpacking()).trim() === '1')
    running.child.kill('SIGINT')
    expect((await running.ended).code).toBe(130)
    await waitFor('the end of the unpacking', async () => (await unpacking()).trim() === '0')
    await lab.exec(1, 'rm /usr/local/sbin/tar')
    expect(await add([`${user}@h1`, '--artifact', zst.file], env)).toMatchObject({outcome: 'added'})
    const gone = await lab.cli(['node', 'remove', 'h1', '--uninstall', '--yes'], {env})
    expect(gone).toMatchObject({code: 0})
  },
)

test('an archive that the account changes after it was checked is not what root unpacks', async () => {
  await instead(
    'sha256sum',
    '/usr/bin/sha256sum; for f in /home/ops/.cache/ollamax/ollama-*; do : >"$f"; done',
  )
  expect(await add(['h1', '--artifact', zst.file])).toMatchObject({version: '0.33.0'})
  await lab.exec(1, 'rm /usr/local/sbin/sha256sum; [ -z "$(ls /home/ops/.cache/ollamax)" ]')
  await remove('h1')
})

/** A release site on the operator's side of the lab. */
async function startSite(): Promise<{port: number; stop(): Promise<void>}> {
  const dir = mkdtempSync(join(tmpdir(), 'ox-site-'))
  const release = join(dir, 'download/v0.33.0')
  mkdirSync(release, {recursive: true})
  copyFileSync(zst.file, join(release, 'ollama-linux-amd64.tar.zst'))
  writeFileSync(join(release, 'sha256sum.txt'), `${zst.sha256}  ./ollama-linux-amd64.tar.zst\n`)
  const program = `
    const {createServer} = require('node:http'), {readFileSync} = require('node:fs')
    createServer((question, reply) => {
      const path = question.url.replace(/^\\/r/, '')
      if (path === '/latest') return reply.writeHead(302, {location: '/r/tag/v0.33.0'}).end()
      if (path === '/tag/v0.33.0') return reply.end()
      try { reply.end(readFileSync(${JSON.stringify(dir)} + path)) } catch { reply.writeHead(404).end() }
    }).listen(0, function () { require('node:fs').writeFileSync(${JSON.stringify(join(dir, 'port'))}, String(this.address().port)) })
    setInterval(() => require('node:fs').existsSync(${JSON.stringify(dir)}) || process.exit(), 50)`
  const running = lab.tool([process.execPath, '-e', program])
  const port = await waitFor('the release site', () =>
    Number(readFileSync(join(dir, 'port'), 'utf8')),
  )
  return {
    port,
    async stop() {
      rmSync(dir, {recursive: true, force: true})
      await running
    },
  }
}
