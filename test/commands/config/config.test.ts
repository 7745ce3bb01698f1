import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {runCli} from '../../support/run-cli.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
let file: string
beforeEach(() => {
  home = tempHome()
  file = join(home.dir, 'ollamax/clusters/default.yaml')
  mkdirSync(dirname(file), {recursive: true})
  writeFileSync(file, LAB)
})
afterEach(() => home.dispose())

const ollamax = (...args: string[]) => runCli(args, {env: home.env})
const text = () => readFileSync(file, 'utf8')

const LAB = `# my lab
apiVersion: ollamax/v1
kind: Cluster

nodes:
  - name: gpu.1   # loud
    ssh: me@gpu-1
`

test('a key means either a preference or a key of the cluster file', async () => {
  await ollamax('config', 'set', 'default-model', 'llama3.2')
  await ollamax('config', 'set', 'policy', 'round-robin')
  await ollamax('config', 'set', 'nodes.gpu.1.labels.example.org/rack', 'r1')
  expect((await ollamax('config', 'show')).stdout).toBe(
    'default-model\tllama3.2\npolicy\tround-robin\nnodes.gpu.1.ssh\tme@gpu-1\nnodes.gpu.1.labels.example.org/rack\tr1\n',
  )
  expect((await ollamax('config', 'get', 'nodes.gpu.1.labels.example.org/rack')).stdout).toBe(
    'r1\n',
  )
  expect((await ollamax('config', 'get', 'default-model')).stdout).toBe('llama3.2\n')
  expect(text()).toContain('- name: gpu.1   # loud\n')
  expect((await ollamax('config', 'show', '--yaml')).stdout).toBe(text())
  await ollamax('config', 'set', 'policy', '--unset')
  await ollamax('config', 'set', 'nodes.gpu.1.labels', '--unset')
  expect(text()).toBe(LAB)
})

test('what is not set is said on stderr, and is null in JSON', async () => {
  const {code, stdout, stderr} = await ollamax('config', 'get', 'policy')
  expect({code, stdout, stderr}).toEqual({code: 0, stdout: '', stderr: 'policy is not set\n'})
  const answer = JSON.parse((await ollamax('config', 'get', 'policy', '--json')).stdout)
  expect(answer).toEqual({key: 'policy', value: null, file})
})

test.each([
  [['config', 'get', 'outptu'], 2, 'did you mean "output"?'],
  [['config', 'set', 'output', 'loud'], 2, 'use one of auto, table, plain, json'],
  [['config', 'set', 'cluster', 'nowhere'], 3, 'there is no cluster "nowhere"'],
  [['config', 'set', 'defaults.readTimeot', '3s'], 2, 'did you mean "readTimeout"?'],
  [['config', 'set', 'defaults.readTimeout', '3'], 2, 'must be a text, not the number 3'],
  [['config', 'set', 'nodes.gpu1.drained', 'true'], 3, 'did you mean "gpu.1"?'],
  [['config', 'set', 'nodes.gpu.1', '--unset'], 2, 'is not a single setting'],
  [['config', 'set', 'nodes', '[]'], 2, 'is not a single setting'],
  [['config', 'set', 'nodes.gpu.1.name', 'a b'], 2, 'cannot be a name'],
  [['config', 'set', 'policy'], 2, 'either a value or --unset'],
  [['config', 'set', 'policy', 'x', '--unset'], 2, 'either a value or --unset'],
  [['config', 'set', 'nodes..x', 'y'], 2, 'there is no setting'],
])('%j exits %d and changes nothing', async (args, code, why) => {
  const result = await ollamax(...args)
  expect({code: result.code, stdout: result.stdout}).toEqual({code, stdout: ''})
  expect(result.stderr).toContain(why)
  expect(text()).toBe(LAB)
  expect(existsSync(join(home.dir, 'ollamax/preferences.json'))).toBe(false)
})

test('validate checks the cluster, a file or stdin', async () => {
  expect((await ollamax('config', 'validate')).stdout).toBe(`${file} is valid, nodes: 1\n`)
  const bad = join(home.dir, 'bad.yaml')
  writeFileSync(bad, LAB.replace('kind: Cluster', 'kind: Cluster\npolcy: x'))
  const refused = await ollamax('config', 'validate', bad, '--json')
  expect(refused.code).toBe(2)
  expect(JSON.parse(refused.stdout)).toMatchObject({
    error: {
      code: 'CONFIG_INVALID',
      details: {
        problems: [
          {place: 'bad.yaml:4:1', message: 'polcy is not a known key; did you mean "policy"?'},
        ],
      },
    },
  })
  const piped = await runCli(['config', 'validate', '-'], {env: home.env, stdin: LAB})
  expect(piped.stdout).toBe('stdin is valid, nodes: 1\n')
})

/** An editor that runs a line of shell with the file as $1. */
function edit(script: string) {
  const editor = join(home.dir, 'editor.sh')
  writeFileSync(editor, script)
  return runCli(['config', 'edit'], {
    env: {...home.env, VISUAL: '', EDITOR: `sh '${editor}'`, TMPDIR: home.dir},
  })
}

test('edit writes what the editor wrote, once it is valid', async () => {
  const {code, stdout} = await edit('echo "policy: round-robin # mine" >> "$1"\n')
  expect({code, stdout}).toEqual({code: 0, stdout: `wrote ${file}\n`})
  expect(text()).toBe(`${LAB}policy: round-robin # mine\n`)
})

test('edit without a change writes nothing', async () => {
  expect((await edit('true\n')).stdout).toBe('nothing was changed\n')
})

test('an invalid text changes nothing, and is kept', async () => {
  const {code, stderr} = await edit('echo "polcy: x" >> "$1"\n')
  expect(code).toBe(2)
  expect(stderr).toContain('did you mean "policy"?')
  const copy = /your text is kept: (\S+)/.exec(stderr)?.[1] ?? ''
  expect(readFileSync(copy, 'utf8')).toBe(`${LAB}polcy: x\n`)
  expect(text()).toBe(LAB)
})

test('a file that was changed meanwhile is not overwritten', async () => {
  const {code, stderr} = await edit(`echo "# other" >> '${file}'; echo "# mine" >> "$1"\n`)
  expect(code).toBe(5)
  expect(stderr).toContain('CONFIG_CHANGED')
  const copy = /your text is kept: (\S+)/.exec(stderr)?.[1] ?? ''
  expect(readFileSync(copy, 'utf8')).toBe(`${LAB}# mine\n`)
  expect(text()).toBe(`${LAB}# other\n`)
})

test('an editor that fails changes nothing', async () => {
  const {code, stderr} = await edit('exit 3\n')
  expect(code).toBe(2)
  expect(stderr).toContain('ended with exit code 3')
  expect(text()).toBe(LAB)
})

test('the preference for an output holds where neither flag nor environment says another', async () => {
  await ollamax('config', 'set', 'output', 'json')
  expect(JSON.parse((await ollamax('config', 'get', 'output')).stdout)).toMatchObject({
    value: 'json',
  })
  const env = {...home.env, OLLAMAX_OUTPUT: 'table'}
  const {stdout} = await runCli(['config', 'show'], {env})
  expect(stdout).toMatch(/setting +value\noutput +json/)
})

test('broken preferences do not keep a command from working that can do without them', async () => {
  const preferences = join(home.dir, 'ollamax/preferences.json')
  writeFileSync(preferences, '{broken')
  const version = await ollamax('version')
  expect(version.code).toBe(0)
  expect(version.stderr).toContain(`${preferences} is not valid JSON`)
  expect((await ollamax('config', 'show')).code).toBe(2)
  expect((await ollamax('config', 'set', 'theme', 'dark')).code).toBe(2)
  expect(readFileSync(preferences, 'utf8')).toBe('{broken')
})

test('path prints where everything lies, also where there is nothing yet', async () => {
  const {stdout} = await ollamax('config', 'path', '--cluster', 'other')
  expect(stdout).toContain(`cluster\t${join(dirname(file), 'other.yaml')}\n`)
  expect(stdout).toContain(`preferences\t${join(home.dir, 'ollamax/preferences.json')}\n`)
})

test('a policy that there is not is refused by config set, and found by config validate', async () => {
  const set = await ollamax('config', 'set', 'policy', 'round-robbin')
  expect([set.code, set.stderr]).toEqual([2, expect.stringContaining('no policy "round-robbin"')])
  expect(text()).toBe(LAB)
  writeFileSync(file, `${LAB}policy: fancy\n`)
  const {code, stderr} = await ollamax('config', 'validate')
  expect([code, stderr]).toEqual([2, expect.stringContaining('wants the policy "fancy"')])
})

test('without a terminal and without an editor of the user, nothing is opened', async () => {
  const env = {...home.env, VISUAL: '', EDITOR: ''}
  const {code, stdout, stderr} = await runCli(['config', 'edit'], {env})
  expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining('Code: NEEDS_TTY')])
})

test('a relative OLLAMAX_HOME lies below the working directory, and ends in words where that is gone', async () => {
  const env = {...home.env, OLLAMAX_HOME: 'ollamax'}
  const shown = await runCli(['config', 'path', '--json'], {env, cwd: home.dir})
  expect(JSON.parse(shown.stdout).cluster).toBe(file)
  const gone = join(home.dir, 'gone')
  mkdirSync(gone)
  const wrap = ['sh', '-c', 'cd "$1"; rmdir "$1"; shift; exec "$@"', 'sh', gone]
  const {code, stderr} = await runCli(['cluster', 'create', 'lab'], {env, wrap, timeoutMs: 10_000})
  expect([code, stderr]).toEqual([1, expect.stringContaining('the working directory')])
})
