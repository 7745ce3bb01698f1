import {execFileSync, spawnSync} from 'node:child_process'
import {globSync, mkdtempSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect, test} from 'vitest'
import {needs} from './support/needs.ts'

const root = join(import.meta.dirname, '..')
const pages = globSync('man/*.1', {cwd: root}).sort()
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const manifest = JSON.parse(read('oclif.manifest.json')) as {
  commands: Record<string, {hidden?: boolean; flags: Record<string, {hidden?: boolean}>}>
}

/** As a terminal shows it, without bold. */
function shown(page: string): string {
  const env = {...process.env, MANWIDTH: '200', LC_ALL: 'C.UTF-8', MAN_KEEP_FORMATTING: ''}
  return execFileSync('man', ['-l', page], {cwd: root, env, encoding: 'utf8'})
}

needs('mandoc', 'man')('no page has anything that mandoc or groff warns of', () => {
  const warnings = pages.flatMap((page) => {
    const lint = spawnSync('mandoc', ['-Tlint', '-W', 'warning', page], {
      cwd: root,
      encoding: 'utf8',
    })
    const groff = spawnSync('man', ['--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', page], {
      cwd: root,
      env: {...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '100'},
      encoding: 'utf8',
    })
    expect(groff.status, groff.stderr).toBe(0)
    // A date would change the pages each day, and they are checked for drift.
    return `${lint.stdout}${groff.stderr}`
      .split('\n')
      .filter((line) => line && !/missing date/.test(line))
  })
  expect(warnings).toEqual([])
})

needs('man')('every command and flag stands in the manual as it is typed', () => {
  const missing = Object.entries(manifest.commands).flatMap(([id, command]) => {
    if (command.hidden) return []
    const text = shown(`man/ollamax-${id.split(':')[0]}.1`)
    const words = [
      `ollamax ${id.replaceAll(':', ' ')}`,
      ...Object.entries(command.flags)
        .filter(([name, flag]) => !flag.hidden && !['json', 'cluster'].includes(name))
        .map(([name]) => name),
    ]
    return words.filter((word) => !text.includes(word)).map((word) => `${id}: ${word}`)
  })
  expect(missing).toEqual([])
  expect(shown('man/ollamax.1')).toMatch(/--cluster NAME[\s\S]*130 +interrupted/)
})

test('npm puts every page where man finds it', () => {
  const prefix = mkdtempSync(join(tmpdir(), 'ollamax-man-'))
  try {
    const flags = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', prefix]
    execFileSync('npm', ['install', '--global', ...flags, root], {encoding: 'utf8', stdio: 'pipe'})
    const linked = globSync('share/man/man1/*', {cwd: prefix}).sort()
    expect(linked).toEqual(pages.map((page) => page.replace('man/', 'share/man/man1/')))
  } finally {
    rmSync(prefix, {recursive: true, force: true})
  }
}, 60_000)
