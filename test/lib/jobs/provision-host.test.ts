import {expect, test} from 'vitest'
import type {SshNode} from '../../../src/lib/cluster/node.ts'
import {twinWarning} from '../../../src/lib/jobs/provision-host.ts'

function node(name: string, hostKey?: string): SshNode {
  const ssh = `me@${name}`
  const base = {kind: 'ssh', name, ssh, labels: {}, drained: false, ollama: {}} as const
  return hostKey === undefined ? base : {...base, hostKey}
}

test.each([
  ['another key', 'SHA256:a', 'SHA256:b', false],
  ['the same key', 'SHA256:a', 'SHA256:a', true],
  ['no pinned key at all, as under a certificate authority', undefined, undefined, false],
])('two nodes with %s are taken for one machine: %s, %s', (_, one, other, twins) => {
  expect(twinWarning([node('one', one)], node('other', other)).length > 0).toBe(twins)
})
