import {readFile, rm, stat} from 'node:fs/promises'
import {homedir} from 'node:os'
import {join} from 'node:path'
import {cannot, writeWhole} from '../state/write-file.ts'
import type {Tools} from './tools.ts'

/** What is put where so that a shell of this user completes. */
export interface CompletionPlaces {
  readonly script: string
  /** The file that the shell reads at its start; null: it finds the script by itself. */
  readonly startup: string | null
}

type Door = Pick<Tools, 'env'>

/** Where a shell's script lies for this user, whether it is there or not. */
export function completionPlaces({env}: Door, shell: 'bash' | 'zsh' | 'fish'): CompletionPlaces {
  const home = env.HOME || homedir()
  const data = env.XDG_DATA_HOME || join(home, '.local', 'share')
  if (shell === 'fish') {
    const config = env.XDG_CONFIG_HOME || join(home, '.config')
    return {script: join(config, 'fish', 'completions', 'ollamax.fish'), startup: null}
  }
  if (shell === 'zsh') {
    const startup = join(env.ZDOTDIR || home, '.zshrc')
    return {script: join(data, 'zsh', 'site-functions', '_ollamax'), startup}
  }
  // The package bash-completion would find it there. Not everybody has that, and root's own start file often leaves it out.
  const [own] = (env.BASH_COMPLETION_USER_DIR ?? '').split(':')
  const directory = own || join(data, 'bash-completion')
  return {script: join(directory, 'completions', 'ollamax'), startup: join(home, '.bashrc')}
}

/**
 * Writes the script, and has the shell's start file read it. Files that say so already are left alone; what else stands
 * in them stays. Returns the files that were changed. STATE_IO.
 */
export async function installCompletion(
  places: CompletionPlaces,
  text: string,
): Promise<readonly string[]> {
  const changed: string[] = []
  if (await replaced(places.script, text)) changed.push(places.script)
  const {startup, script} = places
  if (startup === null) return changed
  const before = (await textOf(startup)) ?? ''
  const rest = withoutBlock(before)
  const block = `${BEGIN}\n[ -r ${quoted(script)} ] && . ${quoted(script)}\n${END}\n`
  const gap = rest === '' || rest.endsWith('\n') ? '' : '\n'
  if (!before.includes(block) && (await replaced(startup, `${rest}${gap}${block}`)))
    changed.push(startup)
  return changed
}

/** Takes away what `installCompletion` wrote, and nothing else. Returns the files that were changed. STATE_IO. */
export async function uninstallCompletion(places: CompletionPlaces): Promise<readonly string[]> {
  const changed: string[] = []
  const {startup, script} = places
  const before = startup === null ? undefined : await textOf(startup)
  if (startup !== null && before !== undefined && (await replaced(startup, withoutBlock(before))))
    changed.push(startup)
  if ((await textOf(script)) === undefined) return changed
  try {
    await rm(script)
  } catch (error) {
    throw cannot('remove', script, error)
  }
  return [...changed, script]
}

const BEGIN = '# >>> ollamax completion >>>'
const END = '# <<< ollamax completion <<<'

/** A block without its end (cut by hand) is left alone: nobody can say where it ended. */
const withoutBlock = (text: string) =>
  text.replace(new RegExp(`^${BEGIN}\\n(?:(?!${BEGIN}).*\\n)*?${END}\\n?`, 'gm'), '')

/** Single quotes, so that nothing in a path means anything to the shell. */
const quoted = (path: string) => `'${path.replaceAll("'", "'\\''")}'`

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as {code?: string}).code === 'ENOENT') return undefined
    throw cannot('read', file, error)
  }
}

/** False: it says so already. A start file keeps its mode. */
async function replaced(file: string, text: string): Promise<boolean> {
  if ((await textOf(file)) === text) return false
  const mode = await stat(file).then(
    (found) => found.mode & 0o777,
    () => 0o644,
  )
  await writeWhole(file, text, mode)
  return true
}
