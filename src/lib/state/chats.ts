import {readdirSync, readFileSync, statSync} from 'node:fs'
import {join} from 'node:path'
import {OllamaxError} from '../errors.ts'
import {appendTo, type BoundedLog, readAll} from './bounded-log.ts'
import type {Paths} from './paths.ts'
import {cannot, writeWhole} from './write-file.ts'

/** A conversation that was saved under a name. */
export interface SavedChat {
  readonly name: string
  readonly savedMs: number
  readonly bytes: number
}

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/

const directoryOf = (paths: Pick<Paths, 'data'>) => join(paths.data, 'chat')
const savedOf = (paths: Pick<Paths, 'data'>) => join(directoryOf(paths), 'saved')

/** The file of a saved conversation. BAD_INPUT for what cannot be a name. */
export function chatFile(paths: Pick<Paths, 'data'>, name: string): string {
  if (!NAME.test(name))
    throw new OllamaxError('BAD_INPUT', `"${name}" cannot be the name of a conversation`, {
      suggestions: ['letters, digits, dots, - and _; 64 at most', 'a path to a file has a / in it'],
    })
  return join(savedOf(paths), `${name}.json`)
}

/** All that are saved, the newest first. STATE_IO. */
export function listChats(paths: Pick<Paths, 'data'>): SavedChat[] {
  const directory = savedOf(paths)
  try {
    return readdirSync(directory)
      .filter((file) => file.endsWith('.json') && NAME.test(file.slice(0, -'.json'.length)))
      .flatMap((file) => {
        const stat = statSync(join(directory, file), {throwIfNoEntry: false})
        const name = file.slice(0, -'.json'.length)
        return stat ? [{name, savedMs: stat.mtimeMs, bytes: stat.size}] : []
      })
      .sort((a, b) => b.savedMs - a.savedMs)
  } catch (error) {
    if ((error as {code?: string}).code === 'ENOENT') return []
    throw cannot('read', directory, error)
  }
}

/** The text of a file of a conversation. STATE_IO. */
export function readChatFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw cannot('read', file, error)
  }
}

/** Writes a file of a conversation as a whole, for its owner alone. STATE_IO. */
export const writeChatFile = (file: string, text: string): Promise<void> => writeWhole(file, text)

/** What was said at chats: half a megabyte at most, in two files for their owner alone. */
const history = (paths: Pick<Paths, 'data'>): BoundedLog => ({
  directory: directoryOf(paths),
  name: 'history',
  fullBytes: 256 * 1024,
  kept: 1,
})

/** Longer texts are not kept: who pastes a file does not want it back by the arrow keys. */
const LONGEST = 8 * 1024
const MOST = 1000

/** What was said before, the oldest first, each text once. STATE_IO. */
export function readHistory(paths: Pick<Paths, 'data'>): string[] {
  const said = readAll(history(paths)).flatMap(({text}) => (typeof text === 'string' ? [text] : []))
  return [...new Set(said.reverse())].slice(0, MOST).reverse()
}

/** Adds what was said. STATE_IO. */
export function addToHistory(paths: Pick<Paths, 'data'>, text: string): void {
  if (text.length <= LONGEST) appendTo(history(paths), {text})
}
