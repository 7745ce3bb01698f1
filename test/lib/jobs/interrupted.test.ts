import {expect, test} from 'vitest'
import type {SshNode} from '../../../src/lib/cluster/node.ts'
import {OllamaxError} from '../../../src/lib/errors.ts'
import {removeNodes} from '../../../src/lib/jobs/remove-node.ts'
import {pathsFor} from '../../../src/lib/state/paths.ts'
import {fakeAsk} from '../../support/fake-ask.ts'

const node = (name: string): SshNode => ({
  kind: 'ssh',
  name,
  ssh: `me@${name}`,
  labels: {},
  drained: false,
  ollama: {},
})

test('who interrupts an uninstall is told what is not finished and that it may be run again', async () => {
  const abort = new AbortController()
  const cluster = {name: 'lab', nodes: [node('one'), node('two')]}
  let edits = 0
  const tools = {
    cluster: async () => cluster as never,
    editCluster: async () => {
      edits++
      return undefined as never
    },
    dial: async () => {
      abort.abort(new OllamaxError('INTERRUPTED', 'interrupted by SIGINT'))
      throw abort.signal.reason
    },
    ask: fakeAsk([]),
    signal: abort.signal,
    env: {},
    paths: pathsFor({}),
    clusterName: () => 'lab',
  }
  const removal = removeNodes(tools, {
    names: ['one', 'two'],
    uninstall: true,
    keepModels: false,
    yes: true,
    report: () => {},
  })
  await expect(removal).rejects.toMatchObject({
    code: 'INTERRUPTED',
    message: expect.stringContaining('not finished: one, two'),
    suggestions: [expect.stringContaining('Run the same command again')],
  })
  expect(edits).toBe(0)
})
