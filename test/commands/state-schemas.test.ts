import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, expect, test} from 'vitest'
import {runCli} from '../support/run-cli.ts'
import {checkSchema} from '../support/schema.ts'
import {tempHome} from '../support/temp-home.ts'

const home = tempHome()
afterAll(() => home.dispose())
const file = join(home.dir, 'lab.yaml')
writeFileSync(
  file,
  `apiVersion: ollamax/v1
kind: Cluster
policy: round-robin
defaults: {readTimeout: 2s}
nodes:
  - {name: a, ssh: me@a, labels: {tier: fast}, ollama: {port: 11500, env: {OLLAMA_NUM_PARALLEL: 4}}}
  - {name: b, url: http://b, headers: {Authorization: {env: TOKEN}, X-Team: lab}}
  - {name: c, embedded: true}
`,
)

test('what the cluster and config commands print with --json is what their schemas promise', async () => {
  const steps: ReadonlyArray<readonly [string, readonly string[]]> = [
    ['cluster-create', ['cluster', 'create', 'empty']],
    ['cluster-import', ['cluster', 'import', file]],
    ['cluster-use', ['cluster', 'use', 'lab']],
    ['cluster-list', ['cluster', 'list']],
    ['cluster-show', ['cluster', 'show']],
    ['cluster-export', ['cluster', 'export']],
    ['config-path', ['config', 'path']],
    ['config-set', ['config', 'set', 'default-model', 'llama3.2']],
    ['config-set', ['config', 'set', 'nodes.a.labels.tier', '--unset']],
    ['config-get', ['config', 'get', 'nodes.a.ollama']],
    ['config-show', ['config', 'show']],
    ['config-show', ['config', 'show', '--yaml']],
    ['config-validate', ['config', 'validate']],
    ['config-edit', ['config', 'edit']],
    ['cluster-rename', ['cluster', 'rename', 'lab', 'office']],
    ['cluster-remove', ['cluster', 'remove', 'office', '--yes']],
  ]
  const env = {...home.env, VISUAL: 'true', EDITOR: 'true'}
  for (const [id, args] of steps) {
    const {code, stdout, stderr} = await runCli([...args, '--json'], {env})
    expect({args, code, stderr: code === 0 ? '' : stderr}).toEqual({args, code: 0, stderr: ''})
    checkSchema(id, JSON.parse(stdout))
  }
}, 60_000)
