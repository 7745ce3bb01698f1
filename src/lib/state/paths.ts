import {homedir} from 'node:os'
import {isAbsolute, join} from 'node:path'
import {OllamaxError} from '../errors.ts'

/** Where our files lie. All are directories and may not exist yet. */
export interface Paths {
  /** What the user wrote or may write: cluster files, preferences. */
  readonly config: string
  /** What is expensive to get again: the embedded node's engine and model. */
  readonly data: string
  /** What can be thrown away: learned rates, compiled cluster files. */
  readonly cache: string
  /** What belongs to running processes: sockets, leases, logs of the engine. */
  readonly run: string
}

/**
 * The platform's directories (XDG on Linux, Library on macOS, AppData on Windows); OLLAMAX_HOME puts
 * all four below one directory, a relative one below the working directory (STATE_IO if that is gone). Own code of ten lines: env-paths has no runtime directory, and this
 * is on the path of every command.
 */
export function pathsFor(env: Readonly<NodeJS.ProcessEnv>, platform = process.platform): Paths {
  const all = env.OLLAMAX_HOME ? absolute(env.OLLAMAX_HOME) : undefined
  if (all)
    return {config: all, data: join(all, 'data'), cache: join(all, 'cache'), run: join(all, 'run')}
  const home = env.HOME || homedir()
  if (platform === 'darwin') {
    const library = join(home, 'Library')
    const cache = join(library, 'Caches', 'ollamax')
    return {
      config: join(library, 'Preferences', 'ollamax'),
      data: join(library, 'Application Support', 'ollamax'),
      cache,
      run: join(cache, 'run'),
    }
  }
  if (platform === 'win32') {
    const local = join(env.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'ollamax')
    const roaming = join(env.APPDATA || join(home, 'AppData', 'Roaming'), 'ollamax')
    return {
      config: roaming,
      data: join(local, 'data'),
      cache: join(local, 'cache'),
      run: join(local, 'run'),
    }
  }
  const cache = join(env.XDG_CACHE_HOME || join(home, '.cache'), 'ollamax')
  return {
    config: join(env.XDG_CONFIG_HOME || join(home, '.config'), 'ollamax'),
    data: join(env.XDG_DATA_HOME || join(home, '.local', 'share'), 'ollamax'),
    cache,
    run: env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, 'ollamax') : join(cache, 'run'),
  }
}

/** Processes of ours that go on in the background have another working directory. */
function absolute(home: string): string {
  if (isAbsolute(home)) return home
  try {
    return join(process.cwd(), home)
  } catch (cause) {
    throw new OllamaxError(
      'STATE_IO',
      `OLLAMAX_HOME is "${home}", and the working directory that it is relative to is gone`,
      {
        cause,
        suggestions: ['give OLLAMAX_HOME as a path that begins with /', 'or cd somewhere else'],
      },
    )
  }
}
