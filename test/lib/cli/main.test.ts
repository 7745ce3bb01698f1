import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {join} from 'node:path'
import {afterAll, expect, test} from 'vitest'
import {runCli} from '../../support/run-cli.ts'
import {tempHome} from '../../support/temp-home.ts'

const home = tempHome()
afterAll(() => home.dispose())
const ollamax = (...args: string[]) => runCli(args, {env: home.env})

test('--version and version name program, platform and Node', async () => {
  const [flag, command] = [await ollamax('--version'), await ollamax('version')]
  expect(flag.stdout).toMatch(/^ollamax\/\d+\.\d+\.\d+ \S+ node-v\d+/)
  expect(command.stdout).toBe(flag.stdout)
})

test.each([[['help', 'version']], [['version', '-h']], [['version', '--help']]])(
  '%j prints the help of version',
  async (args) => {
    const {code, stdout} = await ollamax(...args)
    expect(code).toBe(0)
    expect(stdout).toContain('$ ollamax version [--json]')
  },
)

test('no word at all lists the commands', async () => {
  const {code, stdout} = await ollamax()
  expect(code).toBe(0)
  expect(stdout).toContain('COMMANDS')
})

test('a mistyped command exits 2, names itself and suggests the nearest one', async () => {
  const {code, stdout, stderr} = await ollamax('versoin')
  expect({code, stdout}).toEqual({code: 2, stdout: ''})
  expect(stderr).toContain('"versoin" is not a command of ollamax')
  expect(stderr).toContain('ollamax version')
})

test('a mistyped flag exits 2 and says which', async () => {
  const {code, stderr} = await ollamax('version', '--jsn')
  expect(code).toBe(2)
  expect(stderr).toContain('--jsn')
})

test('an error under --json is one object with code and message on stdout', async () => {
  const {code, stdout} = await ollamax('version', '--json', '--nope')
  expect(code).toBe(2)
  expect(JSON.parse(stdout).error.message).toContain('--nope')
})

test.each([
  [
    ['run', 'm', 'hi', '--num-ctx', '0'],
    '--num-ctx: expected an integer greater than or equal to 1',
  ],
  [['run', 'm', 'hi', '--nope'], 'Nonexistent flag: --nope'],
  [['node', 'show'], 'Missing 1 required arg: node'],
  [['node', 'list', '--label'], 'Flag --label expects a value'],
])('%j is a mistake of the user like any other, and no bug', async (args, said) => {
  const people = await ollamax(...args)
  expect({code: people.code, stdout: people.stdout}).toEqual({code: 2, stdout: ''})
  expect(people.stderr).toContain(`Error: ${said}`)
  expect(people.stderr).toMatch(/\nCode: BAD_INPUT\nTry this: ollamax .* --help\n$/)
  const {error} = JSON.parse(
    (await ollamax(...args.slice(0, 2), '--json', ...args.slice(2))).stdout,
  )
  expect(error).toMatchObject({code: 'BAD_INPUT', message: expect.stringContaining(said)})
})

test('a mistyped command under --json is one object on stdout, with the same exit code', async () => {
  const {code, stdout, stderr} = await ollamax('versoin', '--json')
  expect({code, stderr}).toEqual({code: 2, stderr: ''})
  expect(JSON.parse(stdout).error).toMatchObject({
    code: 'BAD_INPUT',
    suggestions: expect.arrayContaining(['ollamax version']),
  })
})

test('an error brings no control character of a foreign text to the terminal', async () => {
  const {code, stderr} = await ollamax('x\u001b]52;c;eA==\u0007\u009b2J')
  expect(code).toBe(2)
  expect(stderr).not.toMatch(/[^\P{Cc}\n]/u)
})

test.each([
  'version --json',
  '--version',
  'cluster list --json',
  '--help',
  'help run',
  'node',
  'run --help',
])('an output that takes no more is a short error of: %s', async (words) => {
  const command = `"$0" bin/run.js ${words} >/dev/full`
  const child = spawn('sh', ['-c', command, process.execPath], {
    cwd: join(import.meta.dirname, '../../..'),
    env: home.env,
  })
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  expect({code, stderr}).toEqual({
    code: 1,
    stderr: 'Error: the output cannot be written: ENOSPC\nCode: STATE_IO\n',
  })
})

test('help that nobody reads to its end is no error', async () => {
  const child = spawn(process.execPath, ['bin/run.js', '--help'], {
    cwd: join(import.meta.dirname, '../../..'),
    env: home.env,
  })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  expect({code, stderr}).toEqual({code: 0, stderr: ''})
})

test.each([
  [['--json', 'node', 'list', '--cluster', 'lab']],
  [['--cluster', 'lab', 'node', 'list', '--json']],
  [['--cluster=lab', '--json', 'node', 'list']],
  [['node', '--cluster', 'lab', 'list', '--json']],
])('%j is understood: what every command takes may stand before it', async (args) => {
  await ollamax('cluster', 'create', 'lab')
  const {code, stdout} = await ollamax(...args)
  expect([code, JSON.parse(stdout)]).toEqual([0, {cluster: 'lab', nodes: []}])
})

test('a flag before the command does not hide what is wrong, or an argument that looks like it', async () => {
  expect(await ollamax('--cluster', 'lab', 'nod', 'list')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('"nod list" is not a command of ollamax'),
  })
  expect((await ollamax('--cluster', 'none', 'node', 'list')).stderr).toContain('no cluster "none"')
  const {code, stderr} = await ollamax('--cluster')
  expect([code, stderr]).toEqual([2, expect.stringContaining('--cluster')])
  expect((await ollamax('--nope', 'node', 'list')).stderr).toContain('"--nope"')
  expect((await ollamax('--cluster', 'lab', '--help')).stdout).toContain('COMMANDS')
})
