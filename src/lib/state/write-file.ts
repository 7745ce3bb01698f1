import {mkdir, open, realpath, rename, rm} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'
import {messageOf, OllamaxError} from '../errors.ts'

/** Names of files that a killed write left behind match this; under the lock they can be removed. */
export const TEMPORARY = /^\..+\.\d+-[0-9a-z]+\.new$/

/**
 * Replaces a file as a whole: after a crash at any moment it holds the old text or the new one. Made
 * for its owner alone (its directory 0700) unless another mode is given. A symbolic link stays one: its target is
 * replaced. STATE_IO if it cannot be written; the old file is then untouched.
 */
export async function writeWhole(file: string, text: string, mode = 0o600): Promise<void> {
  let temporary: string | undefined
  try {
    await mkdir(dirname(file), {recursive: true, mode: 0o700})
    const target = await realpath(file).catch(() => file)
    temporary = join(dirname(target), `.${basename(target)}.${unique()}.new`)
    const handle = await open(temporary, 'wx', mode)
    try {
      // What the user's umask took off.
      await handle.chmod(mode)
      await handle.writeFile(text)
      // Before the rename: else a power cut could leave the new name with no content.
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, target)
    temporary = undefined
    await syncDirectory(dirname(target))
  } catch (error) {
    if (temporary) await rm(temporary, {force: true}).catch(() => undefined)
    throw cannot('write', file, error)
  }
}

/** Needs to be unlikely only: a name that is taken is an error, not an overwritten file. */
const unique = () => `${process.pid}-${Math.random().toString(36).slice(2, 12)}`

/** So that the rename itself survives a power cut; not every platform can sync a directory. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}

const REASONS: Readonly<Record<string, readonly [string, string]>> = {
  EACCES: ['permission denied', 'look at the owner and the mode of the file and its directory'],
  EPERM: ['not permitted', 'look at the owner and the mode of the file and its directory'],
  EROFS: ['the file system is read-only', 'set OLLAMAX_HOME to a directory that can be written'],
  ENOSPC: ['no space is left on the device', 'free some space, then run the command again'],
  EDQUOT: ['the disk quota is used up', 'free some space, then run the command again'],
  EISDIR: ['it is a directory', 'move the directory away, or choose another name'],
  ENOTDIR: ['a part of its path is not a directory', 'move that file away, or set OLLAMAX_HOME'],
  ELOOP: ['its symbolic links go in a circle', 'mend the link'],
}

/** The STATE_IO error for a file that could not be read or written, with what to do about it. */
export function cannot(verb: 'read' | 'write' | 'remove', file: string, error: unknown): Error {
  if (OllamaxError.is(error)) return error
  const [why, next] = REASONS[(error as {code?: string}).code ?? ''] ?? [
    messageOf(error),
    undefined,
  ]
  return new OllamaxError('STATE_IO', `cannot ${verb} ${file}: ${why}`, {
    cause: error,
    suggestions: next ? [next] : [],
  })
}
