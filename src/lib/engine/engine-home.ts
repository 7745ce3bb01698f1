import {randomBytes} from 'node:crypto'
import {mkdir, readFile, rename, rm, writeFile} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'
import {messageOf, OllamaxError} from '../errors.ts'
import type {EngineModel} from './model/model-card.ts'
import {PINS} from './pins.ts'

/** Where the parts of the embedded node lie. */
export interface EngineHome {
  readonly root: string
  /** Holds the library's node_modules once it is installed. */
  readonly library: string
  /** Model files that we fetched ourselves. */
  readonly models: string
  /** Which model the engine serves. */
  readonly modelRecord: string
}

export function engineHome(data: string): EngineHome {
  const root = join(data, 'engine')
  return {
    root,
    library: join(root, `${PINS.library.name}-${PINS.library.version}`),
    models: join(root, 'models'),
    modelRecord: join(root, 'model.json'),
  }
}

/** The model that was chosen last; undefined if none was, or the record is not ours. */
export async function readModelRecord(home: EngineHome): Promise<EngineModel | undefined> {
  const model = (await readJson(home.modelRecord)) as Partial<EngineModel> | undefined
  if (typeof model !== 'object' || model === null) return undefined
  const {name, path, sha256, sizeBytes, source} = model
  const valid =
    typeof name === 'string' &&
    typeof path === 'string' &&
    typeof sha256 === 'string' &&
    typeof sizeBytes === 'number' &&
    typeof source === 'string'
  return valid ? {name, path, sha256, sizeBytes, source} : undefined
}

/** Parsed JSON of a file of ours; undefined if it is not there or cut. STATE_IO otherwise. */
export async function readJson(path: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as {code?: string}).code === 'ENOENT') return undefined
    throw new OllamaxError('STATE_IO', `cannot read ${path}: ${messageOf(error)}`, {cause: error})
  }
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Replaces a file of ours as a whole, readable by its owner alone. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const unique = `${process.pid}-${randomBytes(4).toString('hex')}`
  const draft = join(dirname(path), `.${basename(path)}.${unique}.new`)
  try {
    await mkdir(dirname(path), {recursive: true, mode: 0o700})
    await writeFile(draft, `${JSON.stringify(value, null, 2)}\n`, {mode: 0o600, flag: 'wx'})
    await rename(draft, path)
  } catch (error) {
    await rm(draft, {force: true}).catch(() => undefined)
    throw new OllamaxError('STATE_IO', `cannot write ${path}: ${messageOf(error)}`, {cause: error})
  }
}
