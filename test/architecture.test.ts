import {execFileSync} from 'node:child_process'
import {existsSync, globSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect, test} from 'vitest'
import {PURE, pathOf, ROOMS} from '../scripts/rooms.ts'
import {CATALOGUE} from '../src/lib/errors.ts'

const root = join(import.meta.dirname, '..')
const files = (pattern: string): string[] => globSync(pattern, {cwd: root}).sort()
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const linesOf = (file: string): number => read(file).trimEnd().split('\n').length
const holding = (among: readonly string[], what: RegExp): string[] =>
  among.filter((file) => what.test(read(file)))

const sources = files('src/**/*.{ts,tsx}')
const tests = files('test/**/*.{ts,tsx}')
const commands = files('src/commands/**/*.ts')

test('no file is longer than 400 lines, no command longer than 120', () => {
  const all = [...sources, ...tests, ...files('scripts/*.js'), ...files('test/**/*.sh')]
  expect(all.filter((file) => linesOf(file) > 400)).toEqual([])
  expect(commands.filter((file) => linesOf(file) > 120)).toEqual([])
})

test.each(commands)('%s has a summary without a full stop, and examples', (file) => {
  const text = read(file)
  const summary = /static override summary\s*=\s*(['"`])((?:(?!\1)[^\\]|\\.)*)\1/s.exec(text)?.[2]
  expect(summary, 'a summary').toBeTypeOf('string')
  expect(summary).not.toMatch(/\.$|^[A-Z][a-z]/)
  expect(text, 'examples').toMatch(/static override examples\s*=\s*\[\s*\S/)
})

test('the library never ends the process', () => {
  // The engine's child and the CLI's entry are where processes begin; they may end them too.
  const entries = ['src/lib/engine/infer/run-child.ts', 'src/lib/cli/main.ts']
  const library = sources.filter((f) => f.startsWith('src/lib/') && !entries.includes(f))
  expect(holding(library, /\bprocess\.exit\(/)).toEqual([])
})

test('tests use wires, not mocks in the module graph, and nothing is left out by hand', () => {
  const mocked = new RegExp(
    `\\bvi\\.(${['do', ''].map((x) => `${x}${x ? 'Mock' : 'mock'}`).join('|')})\\(`,
  )
  expect(holding(tests, mocked)).toEqual([])
  const left = /\b(test|it|describe)[.](only|skip|todo)\(/
  expect(holding(tests, left)).toEqual([])
})

test('rooms that decide know no time, no chance and no machine', () => {
  const pure = PURE.flatMap((room) => sources.filter((f) => f.startsWith(`${pathOf(room)}/`)))
  expect(pure.length).toBeGreaterThan(0)
  const impure =
    /from 'node:|\bDate\.now\(|new Date\(\)|\bMath\.random\(|\bset(Timeout|Interval)\(|\bprocess\./
  expect(holding(pure, impure)).toEqual([])
})

test('every folder of src/lib is a room of the table', () => {
  const folders = new Set(
    files('src/lib/*/**').flatMap((file) => /^src\/lib\/([^/]+)\//.exec(file)?.[1] ?? []),
  )
  expect([...folders].filter((folder) => !(folder in ROOMS))).toEqual([])
})

test('every error code stands in docs/errors.md, and no other', () => {
  const documented = [...read('docs/errors.md').matchAll(/^\|\s*`?([A-Z][A-Z_]+)`?\s*\|/gm)]
  expect(documented.map((match) => match[1]).sort()).toEqual(Object.keys(CATALOGUE).sort())
})

test('the README is there and opens with the two commands that set everything up', () => {
  expect(existsSync(join(root, 'README.md'))).toBe(true)
  const top = read('README.md').slice(0, 1500)
  expect(top).toContain('npm ci && npm run quickstart')
  expect(top).toContain('npm ci && npm test')
})

test('what is published is the program and nothing of its workshop', () => {
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  ) as {files: {path: string}[]}[]
  const paths = (packed?.files ?? []).map((file) => file.path)
  expect(paths).toContain('bin/run.js')
  expect(paths).toContain('oclif.manifest.json')
  const known =
    /^(bin\/(run\.js|package\.json)|dist\/|man\/|oclif\.manifest\.json$|package\.json$|README\.md$|LICENSE$)/
  expect(paths.filter((path) => !known.test(path))).toEqual([])
})
