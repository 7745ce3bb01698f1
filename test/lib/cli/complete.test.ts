import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect, test} from 'vitest'
import {expectedAt} from '../../../src/lib/cli/complete/expected.ts'
import type {Manifest} from '../../../src/lib/cli/complete/manifest.ts'
import {argSource, flagSource} from '../../../src/lib/cli/complete/sources.ts'

const manifest = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../oclif.manifest.json'), 'utf8'),
) as Manifest
const commands = Object.entries(manifest.commands).filter(([, {hidden}]) => !hidden)
const at = (line: string) => expectedAt(manifest, line.split(' '))
const values = (line: string) => at(line).choices.map(({value}) => value)

test('of every flag and argument it is known where its values come from', () => {
  const unknown = commands.flatMap(([id, {flags, args}]) => [
    ...Object.values(flags)
      .filter((flag) => flag.type === 'option' && !flag.options && !flag.hidden)
      .filter((flag) => flagSource(id, flag) === undefined)
      .map((flag) => `${id} --${flag.name}`),
    ...Object.values(args)
      .filter((arg) => !arg.options && argSource(id, arg) === undefined)
      .map((arg) => `${id} ${arg.name}`),
  ])
  expect(unknown, 'add them to src/lib/cli/complete/sources.ts').toEqual([])
})

test.each(commands.map(([id]) => id))('%s: each flag, and each value of a closed set', (id) => {
  const words = id.replaceAll(':', ' ')
  const {flags = {}, args = {}} = manifest.commands[id] ?? {}
  const offered = values(`${words} --`)
  for (const flag of Object.values(flags)) {
    if (flag.hidden) continue
    const on = flag.allowNo && flag.default === true ? `--no-${flag.name}` : `--${flag.name}`
    expect(offered).toContain(on)
    if (flag.allowNo) expect(offered).toContain(`--no-${flag.name}`)
    if (!flag.options) continue
    expect(values(`${words} --${flag.name} `)).toEqual(flag.options)
    expect(values(`${words} --${flag.name}=`)).toEqual(flag.options)
    expect(at(`${words} --${flag.name}=x`).kept).toBe(`--${flag.name}=`)
    if (flag.char) expect(values(`${words} -${flag.char} `)).toEqual(flag.options)
  }
  const [first] = Object.values(args)
  if (first?.options) expect(values(`${words} `)).toEqual(first.options)
})

test('every command is found by its words, and no hidden one', () => {
  for (const [id] of commands) {
    const words = id.split(':')
    expect(values([...words.slice(0, -1), ''].join(' '))).toContain(words.at(-1))
    expect(values(['help', ...words.slice(0, -1), ''].join(' '))).toContain(words.at(-1))
  }
  expect(values('')).not.toContain('holder')
  expect(values('engine ')).not.toContain('serve')
})

test.each([
  ['node show ', 'nodes', []],
  ['node show n1 ', 'free', []],
  ['node drain n1 ', 'nodes', ['n1']],
  ['node remove n1 n2 ', 'nodes', ['n1', 'n2']],
  ['node label n1 a=b ', 'label-changes', ['n1', 'a=b']],
  ['node add ', 'hosts', []],
  ['node add a b --label ', 'labels', []],
  ['node list -l ', 'selectors', []],
  ['node exec a b -- ', 'free', ['a', 'b']],
  ['run ', 'models', []],
  ['run --node a ', 'models', []],
  ['run --node ', 'nodes', []],
  ['run --verbose ', 'models', []],
  ['model copy m --to a,b,', 'nodes', ['a', 'b']],
  ['cluster use ', 'clusters', []],
  ['cluster create ', 'free', []],
  ['--cluster ', 'clusters', []],
  ['node --cluster ', 'clusters', []],
  ['config set ', 'settings', []],
  ['config set output ', 'setting-values', ['output']],
  ['key revoke ', 'keys', []],
  ['engine start --gguf ', 'files', []],
  ['engine start --gguf=', 'files', []],
  ['nonsense ', 'free', []],
  ['run m --nonsense ', 'free', ['m']],
])('behind %j come %s', (line, source, given) => {
  expect(at(line)).toMatchObject({source, given})
})

test.each([
  ['--cluster lab node show ', 'lab'],
  ['node --cluster=lab show ', 'lab'],
  ['node show --cluster lab ', 'lab'],
  ['node show --cluster=lab ', 'lab'],
  ['node show ', undefined],
])('%j names the cluster %s', (line, cluster) => {
  expect(at(line)).toMatchObject({source: 'nodes', cluster})
})

test('a flag that stands there already is not offered again, unless it may, nor one that excludes it', () => {
  const again = values('node list --live --label a=b --')
  expect(again).not.toContain('--live')
  expect(again).toContain('--label')
  expect(values('completion --install --')).not.toContain('--uninstall')
  expect(values('completion --uninstall --')).not.toContain('--install')
})

test('where a command takes no more words, its flags are offered at once', () => {
  expect(values('version ')).toEqual(values('version --'))
  expect(values('node show n1 ')).toContain('--live')
})
