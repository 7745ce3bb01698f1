import {mkdirSync, mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach} from 'vitest'
import {type EngineHome, engineHome} from '../../src/lib/engine/engine-home.ts'
import {installLibrary} from '../../src/lib/engine/install/install-library.ts'
import {readGguf} from '../../src/lib/engine/model/gguf.ts'
import {modelCard} from '../../src/lib/engine/model/model-card.ts'
import {makeRunner, type Runner} from '../../src/lib/engine/serve/runner.ts'
import {type ServingEngine, serveEngine} from '../../src/lib/engine/serve/serve-engine.ts'
import {withLock} from '../../src/lib/state/lock.ts'
import {type TinyGgufOptions, writeTinyGguf} from './tiny-gguf.ts'

/**
 * The inference library, installed by the product's own installer into a directory that all test
 * files share, also over runs: its name holds the version.
 */
export async function sharedLibrary(): Promise<EngineHome> {
  const home = engineHome(join(tmpdir(), 'ollamax-test-cache'))
  mkdirSync(home.root, {recursive: true})
  const {signal} = new AbortController()
  const install = () => installLibrary({home, env: process.env, report: () => {}, signal})
  await withLock(home.root, install, {timeoutMs: 280_000})
  return home
}

/** A real engine in this process, its inference in a real child; model `tiny`, with random weights. */
export interface TestEngine extends ServingEngine {
  readonly url: string
  readonly runner: Runner
  readonly log: readonly string[]
  post(path: string, body: unknown, init?: RequestInit): Promise<Response>
  /** The lines of a streamed answer. */
  lines(path: string, body: unknown): Promise<Array<Record<string, unknown>>>
  json(path: string, body?: unknown): Promise<Record<string, unknown>>
}

/** Returns a starter of engines that end with their test. */
export function testEngines(): (options?: TinyGgufOptions) => Promise<TestEngine> {
  const closers: Array<() => Promise<void>> = []
  afterEach(async () => {
    for (const close of closers.splice(0)) await close()
  })
  return async (options = {}) => {
    const {library} = await sharedLibrary()
    const directory = mkdtempSync(join(tmpdir(), 'ollamax-engine-'))
    const modelPath = join(directory, 'tiny.gguf')
    writeTinyGguf(modelPath, options)
    const engine = await start(library, modelPath)
    closers.push(async () => {
      await engine.close()
      rmSync(directory, {recursive: true})
    })
    return engine
  }
}

async function start(library: string, modelPath: string): Promise<TestEngine> {
  const header = await readGguf(modelPath)
  const card = modelCard(header)
  const log: string[] = []
  const runner = makeRunner({
    entry: {file: join(import.meta.dirname, 'infer-child.ts'), args: []},
    library,
    modelPath,
    embedding: card.embedding,
    threads: 2,
    defaultNumCtx: Math.min(512, card.contextLength),
    log: (line) => log.push(line),
    maxWaiting: 2,
  })
  const {sizeBytes} = header
  const model = {
    name: 'tiny:latest',
    path: modelPath,
    sha256: 'a'.repeat(64),
    sizeBytes,
    source: 'test',
  }
  const engine = await serveEngine({
    served: {model, card, modifiedAt: '2026-01-01T00:00:00.000Z'},
    runner,
    port: 0,
    version: '0.0.0-test',
    log: (line) => log.push(line),
  })
  const url = `http://127.0.0.1:${engine.port}`
  const post: TestEngine['post'] = (path, body, init) =>
    fetch(url + path, {method: 'POST', body: JSON.stringify(body), ...init})
  return {
    ...engine,
    url,
    runner,
    log,
    post,
    async lines(path, body) {
      const text = await (await post(path, body)).text()
      return text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    },
    async json(path, body) {
      const reply = body === undefined ? await fetch(url + path) : await post(path, body)
      return (await reply.json()) as Record<string, unknown>
    },
  }
}

/** The text of a streamed generate answer. */
export function textOf(lines: ReadonlyArray<Record<string, unknown>>): string {
  return lines.map(({response}) => response ?? '').join('')
}
