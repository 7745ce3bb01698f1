// Generates what can be generated: oclif.manifest.json, the README's command list, docs/commands/,
// docs/errors.md, docs/config.md, docs/top-keys.md, tables of docs/chat.md, docs/schemas/, man/ and its list in
// package.json. With --check it changes nothing and fails on drift.
import {execFileSync} from 'node:child_process'
import {existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {dirname, join, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'
import {createGenerator} from 'ts-json-schema-generator'
import {manPages} from './man-pages.js'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const at = (path) => join(root, path)
const check = process.argv.includes('--check')
const generated = () =>
  new Map(
    [
      'oclif.manifest.json',
      'package.json',
      'README.md',
      'docs/errors.md',
      'docs/config.md',
      'docs/top-keys.md',
      'docs/chat.md',
      ...globSync('{docs/commands,docs/schemas,man}/*', {cwd: root}),
    ]
      .filter((path) => existsSync(at(path)))
      .map((path) => [path, readFileSync(at(path), 'utf8')]),
  )

const before = generated()
rmSync(at('docs/commands'), {recursive: true, force: true})
rmSync(at('docs/schemas'), {recursive: true, force: true})
rmSync(at('man'), {recursive: true, force: true})
oclif('manifest')
oclif('readme', '--multi', '--output-dir', 'docs/commands', '--no-aliases')
await errors()
await config()
await topKeys()
await chat()
schemas()
manual()
const after = generated()

const drifted = [...new Set([...before.keys(), ...after.keys()])].filter(
  (path) => before.get(path) !== after.get(path),
)
if (check) {
  for (const path of drifted) {
    if (before.has(path)) writeFileSync(at(path), before.get(path))
    else rmSync(at(path))
  }
  if (drifted.length > 0) {
    console.error(
      `These files are not what the code says now: ${drifted.join(', ')}\nRun: npm run docs`,
    )
    process.exitCode = 1
  }
} else
  console.log(drifted.length > 0 ? `updated: ${drifted.join(', ')}` : 'everything is up to date')

function oclif(...args) {
  execFileSync(process.execPath, [at('node_modules/oclif/bin/run.js'), ...args], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
}

/** docs/errors.md: every code with its exit code and meaning. */
async function errors() {
  const {CATALOGUE} = await import('../src/lib/errors.ts')
  const rows = Object.entries(CATALOGUE).map(
    ([code, {exit, about}]) => `| \`${code}\` | ${exit} | ${about} |`,
  )
  write('docs/errors.md', [
    '# Errors',
    '',
    'Every error says what happened and why, has a stable code, and ends with what to do next. With `--json` it is',
    '`{"error": {"code", "message", "suggestions", "details"?}}` on stdout, with the same exit code.',
    '',
    'Exit codes: 0 done, 1 failure, 2 usage, 3 not found, 4 unreachable, 5 locked or in conflict, 6 denied, 130 interrupted.',
    '`node exec` and `node shell` pass on the exit code of the remote command.',
    '',
    '| code | exit | meaning |',
    '| --- | --- | --- |',
    ...rows,
  ])
}

/** docs/config.md: from the schema of the cluster file. */
async function config() {
  const {describeConfig} = await import('../src/lib/state/describe.ts')
  write('docs/config.md', [describeConfig().trimEnd()])
}

/** docs/top-keys.md: from the tables of keys, columns and commands of `top`. */
async function topKeys() {
  const {KEYMAP, SORT_KEY} = await import('../src/lib/tui/top/keymap.ts')
  const {COMMANDS, usageOf} = await import('../src/lib/tui/top/command-line.ts')
  const {columnsOf} = await import('../src/lib/tui/top/listing.ts')
  const {VIEWS} = await import('../src/lib/tui/top/state.ts')
  const code = (text) => `\`${text}\``
  const places = ({where}) =>
    where === undefined || VIEWS.every((view) => where.includes(view)) ? '' : where.join(', ')
  write('docs/top-keys.md', [
    '# Keys of top',
    '',
    'Generated from the tables that `ollamax top` itself obeys; [top](top.md) shows what they lead to.',
    '',
    '| keys | what they do | only in |',
    '| --- | --- | --- |',
    ...KEYMAP.map((one) => `| ${one.keys.map(code).join(' ')} | ${one.about} | ${places(one)} |`),
    `| ${SORT_KEY.keys} | ${SORT_KEY.about} | lists |`,
    '',
    '## Letters of columns',
    '',
    '| view | letters |',
    '| --- | --- |',
    ...VIEWS.map((view) => {
      const letters = columnsOf(view).map(({id, letter}) => `${code(letter)} ${id}`)
      return `| ${view} | ${letters.join(', ')} |`
    }),
    '',
    '## Commands',
    '',
    'Typed after `:`. A name may be cut short, `Tab` completes it and what follows. Without a name, the selected node is meant.',
    '',
    '| command | what it does |',
    '| --- | --- |',
    ...COMMANDS.map((command) => `| ${code(usageOf(command))} | ${command.about} |`),
  ])
}

/** The commands and keys in docs/chat.md, from the tables that the chat itself goes by. */
async function chat() {
  const {CHAT_COMMANDS} = await import('../src/lib/cli/chat/commands.ts')
  const {keyRows} = await import('../src/lib/tui/chat/keymap.ts')
  const code = (text) => `\`${text.trimEnd().replaceAll('|', '\\|')}\``
  const keys = (place) =>
    keyRows(place).map(
      ([names, about]) => `| ${names.split(', ').map(code).join(', ')} | ${about} |`,
    )
  const lines = [
    '| command | |',
    '| --- | --- |',
    ...Object.entries(CHAT_COMMANDS).map(
      ([name, {usage, about}]) => `| ${code(`/${name} ${usage}`)} | ${about} |`,
    ),
    '',
    '| key | |',
    '| --- | --- |',
    ...keys('input'),
    '',
    '| key while searching | |',
    '| --- | --- |',
    ...keys('search'),
  ]
  const text = readFileSync(at('docs/chat.md'), 'utf8')
  const part = /(<!-- generated by npm run docs -->\n)[\s\S]*?(\n<!-- end -->)/
  writeFileSync(
    at('docs/chat.md'),
    text.replace(part, (_, begin, end) => `${begin}\n${lines.join('\n')}\n${end}`),
  )
}

/** docs/schemas/<command>.json: what each command prints with --json, from its result type. */
function schemas() {
  const generator = createGenerator({
    path: at('src/commands/**/*.ts'),
    tsconfig: at('tsconfig.json'),
    skipTypeCheck: true,
    topRef: false,
    additionalProperties: true,
    jsDoc: 'extended',
  })
  for (const file of globSync('src/commands/**/*.ts', {cwd: root}).sort()) {
    const source = readFileSync(at(file), 'utf8')
    const type = /export (?:interface|type) (\w+Result)\b/.exec(source)?.[1]
    if (!type || /static override hidden = true/.test(source)) continue
    const id = file.slice('src/commands/'.length, -'.ts'.length).replaceAll('/', '-')
    write(`docs/schemas/${id}.json`, [JSON.stringify(generator.createSchema(type), null, 2)])
  }
}

/** man/: the manual pages. npm brings those to where `man` looks that package.json lists one by one. */
function manual() {
  const read = (path) => JSON.parse(readFileSync(at(path), 'utf8'))
  const pkg = read('package.json')
  const pages = manPages(read('oclif.manifest.json'), pkg)
  for (const [name, text] of pages) write(`man/${name}`, [text.trimEnd()])
  const man = [...pages.keys()].sort().map((name) => `man/${name}`)
  write('package.json', [JSON.stringify({...pkg, man}, null, 2)])
}

function write(path, lines) {
  mkdirSync(dirname(at(path)), {recursive: true})
  writeFileSync(at(path), `${lines.join('\n')}\n`)
}
