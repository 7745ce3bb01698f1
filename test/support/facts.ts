import type {Artifact} from '../../src/lib/provision/artifact.ts'
import type {Facts, Installation, Place} from '../../src/lib/provision/facts.ts'
import {readFacts} from '../../src/lib/provision/read-facts.ts'

const GIB = 2 ** 30

/** Room for everything. */
export const ROOMY: Place = {freeBytes: 100 * GIB, readOnly: false, noExec: false}

const NOTHING: Installation = {trees: [], pending: false, manifest: {}}

/** A bare Debian host with systemd, and an account that becomes root without a password. */
export function bareHost(change: Partial<Facts> = {}): Facts {
  const facts = readFacts('os=Linux\nmachine=x86_64\nend=1', {startMs: 0, endMs: 0})
  if (!facts) throw new Error('the reader takes no facts')
  const names = ['/opt', '/usr/local/bin', '/etc/systemd/system', '/tmp', 'models', 'own_models']
  return {
    ...facts,
    init: {kind: 'systemd', version: 252, state: 'running'},
    libc: {kind: 'glibc', version: '2.36'},
    user: 'ops',
    uid: 1000,
    home: '/home/ops',
    sudo: 'passwordless',
    gpus: [],
    places: {
      ...Object.fromEntries(names.map((name) => [name, ROOMY])),
      home: {...ROOMY, freeBytes: 50 * GIB},
    },
    tools: ['tar', 'gzip', 'zstd', 'sha256sum', 'systemctl', 'curl'],
    userManager: true,
    linger: false,
    ...change,
  }
}

/** What is there after `text`s of ours were written and the service runs. */
export function runningUnit(change: Partial<Installation> = {}): Installation {
  return {
    ...NOTHING,
    unit: {
      path: '/etc/systemd/system/ollama.service',
      dropIns: [],
      active: true,
      enabled: true,
      mainPid: 42,
      user: 'ollama',
      execStart: '/usr/local/bin/ollama',
      env: {},
      stale: false,
    },
    ...change,
  }
}

/** An archive as `inspectArtifact` finds it. */
export function goodArtifact(change: Partial<Artifact> = {}): Artifact {
  return {
    path: '/tmp/ollama-linux-amd64.tgz',
    sha256: 'a'.repeat(64),
    tarSha256: 'b'.repeat(64),
    sizeBytes: GIB,
    format: 'gz',
    arch: 'amd64',
    os: 'linux',
    unpackedBytes: 3 * GIB,
    ...change,
  }
}
