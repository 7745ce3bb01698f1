import {execFileSync, spawnSync} from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import {tmpdir} from 'node:os'
import {delimiter, join} from 'node:path'

/**
 * A systemctl that keeps one service: it reads the unit as systemd does (words, quotes, escapes, %%, $$; unknown specifiers
 * are an error), runs its ExecStart with its Environment and EnvironmentFile and nothing else, and remembers what it was
 * told. It restarts nothing, and takes no rights away.
 */
const SYSTEMCTL = `
const fs = require('fs'), path = require('path'), {spawn} = require('child_process')
const state = process.env.FAKE_SYSTEMD
const at = (name) => path.join(state, name)
const args = process.argv.slice(2)
fs.appendFileSync(at('calls'), args.join(' ') + '\\n')
const user = args[0] === '--user'
const [verb, ...rest] = args.slice(user ? 1 : 0)
const dir = fs.readFileSync(at('dir'), 'utf8')
const unitFile = path.join(dir, 'ollamax.service')
const pid = () => { try { const it = Number(fs.readFileSync(at('pid'), 'utf8')); process.kill(it, 0); return it } catch { return undefined } }
const stop = () => { const it = pid(); if (it) { process.kill(it, 'SIGTERM'); for (let i = 0; i < 500 && pid(); i++) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10) } fs.rmSync(at('pid'), {force: true}) }
const percents = (text) => text.replace(/%(.)/g, (_, c) => { if (c !== '%') throw new Error('unknown specifier %' + c); return '%' })
function words(line) {
  const found = []
  for (let i = 0; i < line.length; ) {
    if (line[i] === ' ') { i++; continue }
    let word = '', quote = ''
    for (; i < line.length && (quote || line[i] !== ' '); i++) {
      const c = line[i]
      if (c === '\\\\') { const e = line[++i]; if (e !== '\\\\' && e !== '"') throw new Error('escape ' + e); word += e }
      else if (quote) { if (c === quote) quote = ''; else word += c }
      else if (c === '"' || c === "'") quote = c
      else word += c
    }
    if (quote) throw new Error('unbalanced quoting')
    found.push(percents(word))
  }
  return found
}
const dollars = (word) => word.replace(/\\$(\\$|\\{?\\w+\\}?)?/g, (all, c) => { if (c !== '$') throw new Error('variable ' + all); return '$' })
function start() {
  const lines = fs.readFileSync(at('loaded'), 'utf8').split('\\n')
  const all = (key) => lines.filter((line) => line.startsWith(key + '=')).map((line) => line.slice(key.length + 1))
  const env = {PATH: '/usr/bin:/bin', HOME: process.env.FAKE_HOME}
  for (const line of all('Environment')) for (const word of words(line)) env[word.slice(0, word.indexOf('='))] = word.slice(word.indexOf('=') + 1)
  for (const file of all('EnvironmentFile').map(percents)) {
    if (!file.startsWith('-')) throw new Error('the file must not be needed')
    if (fs.existsSync(file.slice(1))) for (const line of fs.readFileSync(file.slice(1), 'utf8').split('\\n')) if (line.includes('=')) env[line.slice(0, line.indexOf('='))] = line.slice(line.indexOf('=') + 1)
  }
  const [program, ...more] = words(all('ExecStart')[0])
  const log = fs.openSync(at('log'), 'a')
  const child = spawn(program, more.map(dollars), {env, cwd: '/', detached: true, stdio: ['ignore', log, log]})
  fs.writeFileSync(at('pid'), String(child.pid))
  child.unref()
}
const say = (text, code) => { process.stdout.write(text + '\\n'); process.exitCode = code }
if (verb === 'is-system-running') say(fs.existsSync(at('offline')) ? 'offline' : 'degraded', 1)
else if (verb === 'is-enabled') say(fs.existsSync(at('enabled')) ? 'enabled' : 'disabled', fs.existsSync(at('enabled')) ? 0 : 1)
else if (verb === 'is-active') say(pid() ? 'active' : 'inactive', pid() ? 0 : 3)
else if (verb === 'daemon-reload') { if (fs.existsSync(unitFile)) fs.copyFileSync(unitFile, at('loaded')); else fs.rmSync(at('loaded'), {force: true}) }
else if (verb === 'enable') fs.writeFileSync(at('enabled'), '')
else if (verb === 'restart') { stop(); start() }
else if (verb === 'disable') { fs.rmSync(at('enabled'), {force: true}); if (rest.includes('--now')) stop() }
else { process.stderr.write('Unknown command verb ' + verb + '\\n'); process.exitCode = 1 }
`

export interface FakeSystemd {
  /** For PATH and more, over a home's own. */
  env(of: Readonly<Record<string, string>>): Readonly<Record<string, string>>
  /** Where the units lie that it reads. */
  readonly unitDir: string
  /** What changed something, without questions. */
  changes(): string[]
  log(): string
  mark(name: string): void
  close(): void
}

/** `unitDir`: where units lie; it is told before the first call. */
export function fakeSystemd(unitDir: string): FakeSystemd {
  const state = mkdtempSync(join(tmpdir(), 'ollamax-systemd-'))
  const bin = join(state, 'bin')
  mkdirSync(bin)
  const program = (name: string, text: string) => {
    writeFileSync(join(bin, name), text)
    chmodSync(join(bin, name), 0o755)
  }
  writeFileSync(join(state, 'systemctl.js'), SYSTEMCTL)
  // An account may not be able to read where the tests' own Node lies.
  const node = `"\${FAKE_NODE:-${process.execPath}}"`
  program('systemctl', `#!/bin/sh\nexec ${node} "$FAKE_SYSTEMD/systemctl.js" "$@"\n`)
  program('journalctl', '#!/bin/sh\ntail -n 10 "$FAKE_SYSTEMD/log"\n')
  writeFileSync(join(state, 'dir'), unitDir)
  const read = (name: string) => {
    const file = join(state, name)
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }
  return {
    unitDir,
    env: (of) => ({
      ...of,
      PATH: `${bin}${delimiter}${of.PATH ?? ''}`,
      FAKE_SYSTEMD: state,
      FAKE_HOME: of.HOME ?? '',
    }),
    changes: () =>
      read('calls')
        .split('\n')
        .filter((line) => line !== '' && !/\bis-/.test(line)),
    log: () => read('log'),
    mark: (name) => writeFileSync(join(state, name), ''),
    close() {
      const pid = Number(read('pid'))
      if (pid > 0 && spawnSync('kill', ['-0', String(pid)]).status === 0)
        execFileSync('kill', ['-9', String(pid)])
      rmSync(state, {recursive: true, force: true})
    },
  }
}
