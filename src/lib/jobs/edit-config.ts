import {spawn} from 'node:child_process'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {basename, join} from 'node:path'
import {OllamaxError} from '../errors.ts'
import {clusterDirectory, clusterNames, readText} from '../state/load.ts'
import {withLock} from '../state/lock.ts'
import {writeWhole} from '../state/write-file.ts'
import {type Source, sourceOf} from './config-settings.ts'
import type {Tools} from './tools.ts'

type Door = Pick<Tools, 'paths' | 'signal' | 'ask' | 'env' | 'clusterName'>

export interface EditedConfig {
  readonly file: string
  readonly changed: boolean
}

/**
 * Opens a copy of the cluster file in the user's editor and puts it in place once it is valid. With a
 * terminal, an invalid copy can be edited again. CONFIG_INVALID; CONFIG_CHANGED if the file itself was
 * changed meanwhile. Whatever fails, a copy that was edited is kept, and `show` is told where.
 */
export async function editConfig(tools: Door, show: (text: string) => void): Promise<EditedConfig> {
  const source = sourceOf(tools)
  const directory = await mkdtemp(join(tmpdir(), 'ollamax-edit-'))
  const copy = join(directory, basename(source.file))
  await writeFile(copy, source.text, {mode: 0o600})
  let keep = false
  try {
    const edited = await editUntilValid(tools, {copy, name: source.name, show})
    if (edited !== source.text) await putInPlace(tools, source, edited)
    return {file: source.file, changed: edited !== source.text}
  } catch (error) {
    keep = readText(copy) !== source.text
    if (keep) show(`your text is kept: ${copy}`)
    throw error
  } finally {
    if (!keep) await rm(directory, {recursive: true, force: true})
  }
}

async function putInPlace(tools: Door, source: Source, edited: string): Promise<void> {
  const {file, name} = source
  const work = async () => {
    const now = clusterNames(tools.paths).includes(name) ? sourceOf(tools).text : undefined
    if (now !== source.text && !(now === undefined && source.isNew))
      throw new OllamaxError('CONFIG_CHANGED', `${file} was changed while you edited it`, {
        suggestions: ['see what differs (diff), then run the command again'],
        details: {file},
      })
    await writeWhole(file, edited)
  }
  await withLock(clusterDirectory(tools.paths), work, {signal: tools.signal, why: 'config edit'})
}

interface Editing {
  readonly copy: string
  readonly name: string
  readonly show: (text: string) => void
}

async function editUntilValid(tools: Door, {copy, name, show}: Editing): Promise<string> {
  const {compile} = await import('../state/compile.ts')
  for (;;) {
    await openEditor(tools, copy)
    const text = readText(copy)
    if (text === undefined)
      throw new OllamaxError('BAD_INPUT', 'the editor removed the copy; nothing was changed')
    try {
      compile({name, text, file: copy})
      return text
    } catch (error) {
      if (!OllamaxError.is(error, 'CONFIG_INVALID')) throw error
      if (!tools.ask.interactive) throw error
      show(error.message)
      if (!(await tools.ask.confirm('Edit it again?', 'mend the file in the editor'))) throw error
    }
  }
}

/** Runs $VISUAL or $EDITOR, which may be a command with arguments, on this terminal. */
async function openEditor(tools: Door, copy: string): Promise<void> {
  const chosen = tools.env.VISUAL || tools.env.EDITOR
  // A chosen one may be a script; what we would take needs a terminal, and without one vi never ends well.
  if (!chosen && !tools.ask.interactive)
    throw new OllamaxError('NEEDS_TTY', 'there is no terminal to edit at', {
      suggestions: ['ollamax config set KEY VALUE', 'or set EDITOR to a program that needs none'],
    })
  const editor = chosen || 'vi'
  const child = spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', copy], {
    // stdout may be a pipe (--json); an editor draws on a terminal.
    stdio: ['inherit', process.stdout.isTTY ? 'inherit' : 2, 'inherit'],
    env: tools.env,
    signal: tools.signal,
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  if (code === 0) return
  throw new OllamaxError('BAD_INPUT', `the editor "${editor}" ended with exit code ${code}`, {
    suggestions: ['set VISUAL or EDITOR to your editor'],
  })
}
