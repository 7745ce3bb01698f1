import {createReadStream} from 'node:fs'
import {type FileHandle, open, rename, rm} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'
import {DoneLines} from '../../batch/done-lines.ts'
import {readOutputLine} from '../../batch/output-line.ts'
import {OllamaxError} from '../../errors.ts'
import {cannot} from '../../state/write-file.ts'
import {readLines} from './read-lines.ts'

/** What earlier runs have left in an output. */
export interface EarlierOutput {
  readonly done: DoneLines
  /** Up to there all lines are whole; what follows is half a line of a process that was killed. */
  readonly bytes: number
  /** The lines stand there in the order of the input. */
  readonly inOrder: boolean
}

/** That of an output that is new, or cannot be read again. */
export const nothingYet = (): EarlierOutput => ({done: new DoneLines(), bytes: 0, inOrder: true})

/** Reads an output from its beginning. BAD_INPUT for a file of something else, STATE_IO if it cannot be read. */
export async function readOutput(path: string, file: FileHandle): Promise<EarlierOutput> {
  const bytes = await lastEnd(file)
  await expectOurs(path, file, bytes)
  const done = new DoneLines()
  let latest = 0
  let inOrder = true
  await eachWholeLine(path, bytes, (text, at) => {
    const read = readOutputLine(text)
    if (!read) throw foreign(path, at)
    if (!done.add(read.line, read.fingerprint, read.done)) throw twice(path, read.line)
    inOrder &&= read.line > latest
    latest = read.line
  })
  return {done, bytes, inOrder}
}

/**
 * Leaves the lines with an answer and takes the failed ones out, so that those are asked once more. At any moment there
 * is the whole old file or the whole new one. Errors as of `readOutput`.
 */
export async function dropFailed(path: string): Promise<void> {
  const old = await open(path, 'r').catch((error: unknown) => {
    if ((error as {code?: string}).code === 'ENOENT') return undefined
    throw cannot('read', path, error)
  })
  // Nothing was asked yet, so nothing has failed.
  if (!old) return
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.new`)
  try {
    const bytes = await lastEnd(old)
    await expectOurs(path, old, bytes)
    const {mode} = await old.stat()
    const kept = await open(temporary, 'w', mode)
    try {
      let waiting = ''
      const flush = async () => {
        const text = waiting
        waiting = ''
        await kept.writeFile(text)
      }
      await eachWholeLine(path, bytes, (text, at) => {
        const read = readOutputLine(text)
        if (!read) throw foreign(path, at)
        if (read.done === 'answered') waiting += `${text}\n`
        return waiting.length > 1024 * 1024 ? flush() : undefined
      })
      await flush()
      // Before the rename: else a power cut could leave the new name with no content.
      await kept.sync()
    } finally {
      await kept.close()
    }
    await rename(temporary, path)
  } catch (error) {
    throw OllamaxError.is(error) ? error : cannot('write', path, error)
  } finally {
    await rm(temporary, {force: true})
    await old.close()
  }
}

async function eachWholeLine(
  path: string,
  bytes: number,
  take: (text: string, line: number) => Promise<void> | undefined | void,
): Promise<void> {
  if (bytes === 0) return
  try {
    for await (const {line, text} of readLines(createReadStream(path, {end: bytes - 1})))
      await take(text ?? '', line)
  } catch (error) {
    throw OllamaxError.is(error) ? error : cannot('read', path, error)
  }
}

/** The place behind the last line's end. */
async function lastEnd(file: FileHandle): Promise<number> {
  const piece = Buffer.alloc(64 * 1024)
  for (let from = (await file.stat()).size; from > 0; ) {
    const start = Math.max(0, from - piece.length)
    const {bytesRead} = await file.read(piece, 0, from - start, start)
    const at = piece.subarray(0, bytesRead).lastIndexOf(10)
    if (at >= 0) return start + at + 1
    from = start
  }
  return 0
}

/** How lines of ours begin; the second way are those of OpenAI's form. */
const BEGINNINGS = ['{"line":', '{"id":"batch_req_']

/** Half a line is cut off, so it has to be half a line of ours. */
async function expectOurs(path: string, file: FileHandle, from: number): Promise<void> {
  const {buffer, bytesRead} = await file.read(Buffer.alloc(32), 0, 32, from)
  const tail = buffer.toString('latin1', 0, bytesRead)
  if (BEGINNINGS.some((begin) => begin.startsWith(tail) || tail.startsWith(begin))) return
  throw foreign(path, from === 0 ? 1 : undefined)
}

function foreign(path: string, line?: number): OllamaxError {
  const which = line === undefined ? 'its last line' : `line ${line}`
  return new OllamaxError('BAD_INPUT', `${path}: ${which} was not written by a batch`, {
    suggestions: ['name another file: -o OUT.jsonl', `or move it away: mv ${path} ${path}.old`],
  })
}

function twice(path: string, line: number): OllamaxError {
  return new OllamaxError('BAD_INPUT', `${path} has two answers to line ${line} of the input`, {
    suggestions: ['take one of them out, or name another file: -o OUT.jsonl'],
  })
}
