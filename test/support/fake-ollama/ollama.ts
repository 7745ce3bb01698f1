import {accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {startFakeOllama} from '../fake-ollama.ts'
import {startControl} from './control.ts'
import {diskStore} from './disk-store.ts'
import type {Settings} from './options.ts'
import {keepAliveMs} from './request.ts'

/** Set when it is bundled for a host. */
declare const FAKE_VERSION: string

/** A test's script for this host, read when the server starts. */
const SCRIPT = '/etc/fake-ollama.json'
/** Where the running server takes a changed script. */
const CONTROL_PORT = 11499
const PULLABLE = ['tiny', 'small', {name: 'embed', capabilities: ['embedding']}]

/** The `ollama` program of a test host: `serve` and `--version`, as the real one does them. */
async function main(args: readonly string[]): Promise<void> {
  if (args[0] === 'serve') return await serve()
  if (args[0] === '-v' || args[0] === '--version') return await version()
  fail(`unknown command "${args[0] ?? ''}" for "ollama"`)
}

async function version(): Promise<void> {
  const {host, port} = address()
  try {
    const answer = await fetch(
      `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}/api/version`,
    )
    const running = ((await answer.json()) as {version: string}).version
    console.log(`ollama version is ${running}`)
    if (running === FAKE_VERSION) return
  } catch {
    console.log('Warning: could not connect to a running Ollama instance')
  }
  console.log(`Warning: client version is ${FAKE_VERSION}`)
}

async function serve(): Promise<void> {
  const {env} = process
  const home = env.HOME
  if (!home) fail('$HOME is not defined')
  const {host, port} = address()
  const models = env.OLLAMA_MODELS || join(home, '.ollama', 'models')
  try {
    mkdirSync(models, {recursive: true})
    accessSync(models, constants.W_OK)
    keyIn(join(home, '.ollama'))
  } catch (error) {
    fail((error as Error).message)
  }
  const settings = {...settingsFrom(env), pullable: PULLABLE, ...script()}
  try {
    const node = await startFakeOllama(
      {...settings, version: settings.version ?? FAKE_VERSION, host, port},
      diskStore(models),
    )
    log('INFO', `Listening on ${host}:${port} (version ${FAKE_VERSION})`)
    // Two servers on one host: the second one cannot be scripted while it runs.
    await startControl(node, CONTROL_PORT).catch(() => undefined)
  } catch (error) {
    const inUse = (error as {code?: string}).code === 'EADDRINUSE'
    fail(`listen tcp ${host}:${port}: ${inUse ? 'bind: address already in use' : String(error)}`)
  }
  // SIGTERM ends it at once: connections are cut, nothing is drained.
  process.on('SIGTERM', () => process.exit(0))
  process.on('SIGINT', () => process.exit(0))
}

/** What the OLLAMA_* variables say. */
function settingsFrom(env: NodeJS.ProcessEnv): Partial<Settings> {
  const number = (name: string): number | undefined => {
    const text = env[name]
    if (!text) return undefined
    if (/^\d+$/.test(text)) return Number(text)
    log('WARN', `invalid environment variable, using default key=${name} value=${text}`)
    return undefined
  }
  const keep = env.OLLAMA_KEEP_ALIVE
  const wanted: Partial<Record<keyof Settings, number | undefined>> = {
    slots: number('OLLAMA_NUM_PARALLEL'),
    maxQueue: number('OLLAMA_MAX_QUEUE'),
    maxLoaded: number('OLLAMA_MAX_LOADED_MODELS'),
    numCtx: number('OLLAMA_CONTEXT_LENGTH'),
    keepAliveMs: keep ? keepAliveMs(/^-?\d+$/.test(keep) ? Number(keep) : keep) : undefined,
  }
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined))
}

function script(): Partial<Settings> {
  if (!existsSync(SCRIPT)) return {}
  return JSON.parse(readFileSync(SCRIPT, 'utf8')) as Partial<Settings>
}

/** Ollama keeps a key of its own beside its models. */
function keyIn(dir: string): void {
  const file = join(dir, 'id_ed25519')
  if (existsSync(file)) return
  mkdirSync(dir, {recursive: true})
  console.error(`Couldn't find '${file}'. Generating new private key.`)
  writeFileSync(file, 'test equipment has no key\n', {mode: 0o600})
}

/** OLLAMA_HOST: `host`, `:port`, `host:port`, with or without `http://`. */
function address(): {readonly host: string; readonly port: number} {
  const text = (process.env.OLLAMA_HOST ?? '').trim().replace(/^https?:\/\//, '')
  const match = /^(\[[^\]]*\]|[^:/]*)(?::(\d+))?/.exec(text)
  const host = (match?.[1] ?? '').replace(/^\[|\]$/g, '')
  return {host: host || '127.0.0.1', port: match?.[2] ? Number(match[2]) : 11434}
}

function log(level: string, message: string): void {
  const time = new Date().toISOString()
  console.error(`time=${time} level=${level} source=routes.go:1 msg="${message}"`)
}

function fail(message: string): never {
  console.error(`Error: ${message}`)
  process.exit(1)
}

void main(process.argv.slice(2))
