import {existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {
  completionPlaces,
  installCompletion,
  uninstallCompletion,
} from '../../../src/lib/jobs/install-completion.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
beforeEach(() => {
  home = tempHome()
})
afterEach(() => home.dispose())
const read = (file: string) => readFileSync(join(home.dir, file), 'utf8')
const places = (shell: 'bash' | 'zsh' | 'fish', env = {}) =>
  completionPlaces({env: {HOME: home.dir, ...env}}, shell)

test('what stands in the start file stays, with its mode and its link, and comes back as it was', async () => {
  mkdirSync(join(home.dir, 'dotfiles'))
  writeFileSync(join(home.dir, 'dotfiles/bashrc'), 'alias l=ls\nno newline', {mode: 0o640})
  symlinkSync('dotfiles/bashrc', join(home.dir, '.bashrc'))
  const bash = places('bash')
  expect(await installCompletion(bash, 'one')).toEqual([bash.script, bash.startup])
  expect(read('.bashrc')).toMatch(/^alias l=ls\nno newline\n# >>> ollamax completion >>>\n/)
  expect(statSync(join(home.dir, 'dotfiles/bashrc')).mode & 0o777).toBe(0o640)
  expect(await installCompletion(bash, 'one'), 'a second time').toEqual([])
  expect(await installCompletion(bash, 'two'), 'an upgrade').toEqual([bash.script])
  expect(readFileSync(bash.script, 'utf8')).toBe('two')

  writeFileSync(join(home.dir, '.bashrc'), `${read('.bashrc')}export LATER=1\n`)
  expect(await uninstallCompletion(bash)).toEqual([bash.startup, bash.script])
  expect(read('dotfiles/bashrc')).toBe('alias l=ls\nno newline\nexport LATER=1\n')
  expect(existsSync(bash.script)).toBe(false)
  expect(await uninstallCompletion(bash)).toEqual([])
})

test('a block whose end was cut off by hand is left alone', async () => {
  const cut = '# >>> ollamax completion >>>\nmine=1\n'
  writeFileSync(join(home.dir, '.zshrc'), cut)
  const zsh = places('zsh')
  await installCompletion(zsh, 'text')
  await uninstallCompletion(zsh)
  expect(read('.zshrc')).toBe(cut)
})

test('a script that moved is read from its new place alone', async () => {
  const before = places('bash')
  await installCompletion(before, 'text')
  const after = places('bash', {XDG_DATA_HOME: join(home.dir, "it's data")})
  await installCompletion(after, 'text')
  expect(read('.bashrc').match(/>>> ollamax/g)).toHaveLength(1)
  expect(read('.bashrc')).toContain(`it'\\''s data/bash-completion/completions/ollamax`)
})

test.each([
  ['fish', {}, '.config/fish/completions/ollamax.fish', null],
  ['fish', {XDG_CONFIG_HOME: '/etc/x'}, '/etc/x/fish/completions/ollamax.fish', null],
  ['zsh', {ZDOTDIR: '/z'}, '.local/share/zsh/site-functions/_ollamax', '/z/.zshrc'],
  ['bash', {BASH_COMPLETION_USER_DIR: '/b:/c'}, '/b/completions/ollamax', '.bashrc'],
] as const)('%s with %j', (shell, env, script, startup) => {
  const at = (path: string) => (path.startsWith('/') ? path : join(home.dir, path))
  expect(places(shell, env)).toEqual({
    script: at(script),
    startup: startup === null ? null : at(startup),
  })
})
