import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, afterEach, beforeAll, expect} from 'vitest'
import {pathsFor} from '../../../src/lib/state/paths.ts'
import {keepReadings} from '../../../src/lib/state/readings.ts'
import {needs} from '../../support/needs.ts'
import {runCli} from '../../support/run-cli.ts'
import {openShell, type ShellTerminal} from '../../support/shell-terminal.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const
let home: TempHome
let terminal: ShellTerminal | undefined

const tag = (name: string) => ({name, digest: 'd', sizeBytes: 1, modifiedAt: ''})

beforeAll(async () => {
  home = tempHome()
  const clusters = join(home.env.OLLAMAX_HOME ?? '', 'clusters')
  mkdirSync(clusters, {recursive: true})
  writeFileSync(
    join(clusters, 'default.yaml'),
    `apiVersion: ollamax/v1
kind: Cluster
nodes:
  - {name: gpu-berlin, url: "http://127.0.0.1:1", labels: {tier: fast}}
  - {name: cpu-1, url: "http://127.0.0.1:2"}
`,
  )
  writeFileSync(
    join(clusters, 'lab.yaml'),
    'apiVersion: ollamax/v1\nkind: Cluster\nnodes:\n  - {name: other, url: "http://127.0.0.1:3"}\n',
  )
  writeFileSync(join(home.dir, "my model's file.gguf"), '')
  keepReadings(pathsFor(home.env), 'default', [
    {
      kind: 'up',
      node: 'gpu-berlin',
      atMs: Date.now(),
      latencyMs: 1,
      models: [tag('llama3.2:3b'), tag('qwen3:8b'), tag('qwen3:32b'), tag('my model:latest')],
      loaded: [],
    },
  ])
  writeFileSync(join(home.dir, '.bashrc'), "PS1='ready>'\n")
  writeFileSync(join(home.dir, '.zshrc'), "PROMPT='ready>'\n")
  mkdirSync(join(home.dir, '.config/fish'), {recursive: true})
  writeFileSync(
    join(home.dir, '.config/fish/config.fish'),
    "function fish_prompt; echo -n 'ready>'; end\nset fish_greeting\n",
  )
  for (const shell of SHELLS) {
    const {code, stderr} = await runCli(['completion', shell, '--install'], {env: shellEnv()})
    expect({code, stderr}).toMatchObject({code: 0})
  }
})
afterEach(async () => {
  await terminal?.close()
  terminal = undefined
})
afterAll(() => home.dispose())

const shellEnv = () => ({
  ...home.env,
  XDG_CONFIG_HOME: join(home.dir, '.config'),
  XDG_DATA_HOME: join(home.dir, '.local/share'),
})

for (const shell of SHELLS)
  needs(shell, 'script')(
    `an installed ${shell} completes as it is typed`,
    {timeout: 60_000},
    async () => {
      const open = await openShell(shell, home)
      terminal = open
      const words = (line: string) => open.wordsOf(line)
      expect(await words('ollamax qui\t')).toEqual(['quickstart'])
      expect(await words('ollamax node sho\tgpu\t--li\t')).toEqual([
        'node',
        'show',
        'gpu-berlin',
        '--live',
      ])
      // A colon ends a word for bash, as `=` does.
      expect(await words('ollamax run lla\thi')).toEqual(['run', 'llama3.2:3b', 'hi'])
      expect(await words('ollamax run llama3.2:\thi')).toEqual(['run', 'llama3.2:3b', 'hi'])
      expect(await words('ollamax run qwen3:8\thi')).toEqual(['run', 'qwen3:8b', 'hi'])
      expect(await words('ollamax node list -l ti\t')).toContain('tier')
      expect(await words('ollamax node list -l tier=\t')).toContain('tier=fast')
      expect(await words('ollamax chat --node=gp\t')).toEqual(['chat', '--node=gpu-berlin'])
      expect(await words('ollamax model copy qwen3:8b --to cpu-1,g\t')).toContain(
        'cpu-1,gpu-berlin',
      )
      expect(await words('ollamax --cluster la\tnode show o\t')).toEqual([
        ...['--cluster', 'lab', 'node', 'show', 'other'],
      ])
      expect(await words('ollamax doctor --prog\tpl\t')).toEqual([
        ...['doctor', '--progress', 'plain'],
      ])
      // With a space in it, bare and in quotes.
      expect(await words('ollamax run my\thi')).toEqual(['run', 'my model:latest', 'hi'])
      expect(await words('ollamax run "my\thi')).toEqual(['run', 'my model:latest', 'hi'])
      expect(await words('ollamax run "qwen3:8\thi')).toEqual(['run', 'qwen3:8b', 'hi'])
      expect(await words('ollamax engine start --gguf my\t')).toContain("my model's file.gguf")
      expect(await words('ollamax engine start --gguf=my\t')).toContain(
        "--gguf=my model's file.gguf",
      )
      const listed = await open.shows('ollamax run qwen3:\t\t', '32b')
      expect(listed).toContain('8b')
    },
  )
