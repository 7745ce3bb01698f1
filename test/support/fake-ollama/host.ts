import {accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {startFakeOllama} from '../fake-ollama.ts'
import {startControl} from './control.ts'
import {diskStore} from './disk-store.ts'
import type {Settings} from './options.ts'
import {keepAliveMs} from './request.ts'

/** A test's script for this host, read when the server starts. */
const SCRIPT = '/etc/fake-ollama.json'
/** Where the running server takes a changed script. */
const CONTROL_PORT = 11499
const PULLABLE = ['tiny', 'small', {name: 'embed', capabilities: ['embedding']}]

interface Served {
  readonly host: string
  readonly port: number
  /** The version that it says it has. */
  readonly version: string
}

/** `ollama serve` on a test host. */
export async function serve({host, port, version}: Served): Promise<void> {
  const {env} = process
  const home = env.HOME
  if (!home) fail('$HOME is not defined')
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
      {...settings, version: settings.version ?? version, host, port},
      diskStore(models),
    )
    log('INFO', `Listening on ${host}:${port} (version ${version})`)
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

function log(level: string, message: string): void {
  const time = new Date().toISOString()
  console.error(`time=${time} level=${level} source=routes.go:1 msg="${message}"`)
}

function fail(message: string): never {
  console.error(`Error: ${message}`)
  process.exit(1)
}
