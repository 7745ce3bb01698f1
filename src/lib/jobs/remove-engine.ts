import {rm} from 'node:fs/promises'
import {roundSize} from '../cluster/size.ts'
import {engineHome} from '../engine/engine-home.ts'
import {bytesBelow} from '../engine/install/progress.ts'
import {OllamaxError} from '../errors.ts'
import {withLock} from '../state/lock.ts'
import {stopEngine} from './stop-engine.ts'
import type {Tools} from './tools.ts'

export interface RemovedEngine {
  readonly removed: boolean
  readonly path: string
  readonly bytes: number
}

/**
 * Stops the embedded node and deletes its library and the models that were fetched for it; files that
 * were given or belong to Ollama stay. Asks first, CONFIRM_NEEDED without a terminal and `yes`.
 */
export async function removeEngine(
  tools: Pick<Tools, 'paths' | 'signal' | 'ask'>,
  {yes}: {readonly yes: boolean},
): Promise<RemovedEngine> {
  const {paths, signal, ask} = tools
  const {root} = engineHome(paths.data)
  const bytes = await bytesBelow(root)
  const nothing = {removed: false, path: root, bytes}
  if (bytes === 0) return nothing
  const question = `Delete ${root} (${roundSize(bytes)})?`
  if (!yes && !ask.interactive)
    throw new OllamaxError('CONFIRM_NEEDED', `there is no terminal to ask at: ${question}`, {
      suggestions: ['pass --yes'],
    })
  if (!yes && !(await ask.confirm(question, 'pass --yes'))) return nothing
  const remove = async () => {
    await stopEngine(tools)
    await rm(root, {recursive: true, force: true})
  }
  // The lock's own file goes with the directory, which it expects.
  await withLock(root, remove, {signal, why: 'removing the engine'})
  return {removed: true, path: root, bytes}
}
