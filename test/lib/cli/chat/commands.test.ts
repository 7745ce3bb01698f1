import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {CHAT_COMMANDS, helpRows, readSent} from '../../../../src/lib/cli/chat/commands.ts'
import {completionsOf} from '../../../../src/lib/cli/chat/complete.ts'
import {type TempHome, tempHome} from '../../../support/temp-home.ts'

let home: TempHome
beforeEach(() => {
  home = tempHome()
})
afterEach(() => home.dispose())

test.each([
  ['hello', {kind: 'say', text: 'hello'}],
  ['/model x', {kind: 'command', name: 'model', rest: 'x'}],
  ['/?', {kind: 'command', name: 'help', rest: ''}],
  ['/system two\nlines', {kind: 'command', name: 'system', rest: 'two\nlines'}],
  ['/modle x', {kind: 'unknown', name: 'modle', near: 'model'}],
  ['/constructor', {kind: 'unknown', name: 'constructor', near: undefined}],
  ['/tmp/a.png what is it?', {kind: 'say', text: '/tmp/a.png what is it?'}],
  ['/a.png', {kind: 'say', text: '/a.png'}],
])('%j is %j', (text, expected) => expect(readSent(text)).toEqual(expected))

test('the help has every command and the keys', () => {
  const help = helpRows([['Enter', 'send']])
  const left = help.map(([word]) => word)
  for (const name of Object.keys(CHAT_COMMANDS))
    expect(left.some((word) => word.split(' ')[0] === `/${name}`)).toBe(true)
  expect(help).toContainEqual(['Enter', 'send'])
})

const sources = {
  models: async () => ['Mistral', 'mixtral:8x7b', 'tiny'],
  saved: () => ['ideas', 'plan'],
}
const words = async (before: string) => (await completionsOf(before, sources)).candidates

test('commands, models, options and saved conversations are completed', async () => {
  expect(await words('/mo')).toEqual(['/model '])
  expect(await words('/s')).toEqual(['/system ', '/set ', '/save ', '/sessions '])
  expect(await completionsOf('/model mi', sources)).toEqual({
    from: 7,
    candidates: ['Mistral', 'mixtral:8x7b'],
  })
  expect(await words('/set temp')).toEqual(['temperature '])
  expect(await words('/load i')).toEqual(['ideas'])
  expect(await words('/undo x')).toEqual([])
  expect(await words('just talk')).toEqual([])
})

test('paths are completed, with their spaces escaped', async () => {
  mkdirSync(join(home.dir, 'my dir'))
  writeFileSync(join(home.dir, 'my dir/a b.png'), '')
  writeFileSync(join(home.dir, 'my dir/.hidden'), '')
  expect(await words(`/image ${home.dir}/my`)).toEqual([`${home.dir}/my\\ dir/`])
  expect(await words(`look at ${home.dir}/my\\ dir/`)).toEqual([`${home.dir}/my\\ dir/a\\ b.png`])
  expect(await words(`/export ${home.dir}/nowhere/x`)).toEqual([])
})
