import {createHash} from 'node:crypto'
import {lstatSync, mkdirSync} from 'node:fs'
import {join} from 'node:path'
import {OllamaxError} from '../errors.ts'

/** Where a connection holder is found. */
export interface HolderPlace {
  /** Ours alone (0700). Holds the sockets, and the marker of a holder that is being started. */
  readonly dir: string
  /** Begins the names of everything that belongs to this holder. */
  readonly id: string
  /** Its control socket. */
  readonly control: string
}

/** The kernel's limit for a socket's path is 104 bytes on macOS, 108 on Linux. */
const PATH_LIMIT = 100
const LONGEST_NAME = '0123456789ab-0123456789ab.sock'.length + 1

/**
 * The place of the one holder of this cluster, home and version. Makes its directory; STATE_IO if that
 * is not ours alone, since whoever can write there could answer in our nodes' names.
 */
export function holderPlace(
  run: string,
  cluster: string,
  about: {readonly env: Readonly<NodeJS.ProcessEnv>; readonly version: string},
): HolderPlace {
  const id = shortHash(run, cluster, about.version)
  const uid = process.getuid?.() ?? 0
  const usual = join(run, 'holder')
  const fits = Buffer.byteLength(usual) + LONGEST_NAME <= PATH_LIMIT
  const xdg = about.env.XDG_RUNTIME_DIR
  const elsewhere =
    xdg && Buffer.byteLength(xdg) < PATH_LIMIT - LONGEST_NAME - 10
      ? join(xdg, 'ollamax')
      : `/tmp/ollamax-${uid}`
  const dir = fits ? usual : elsewhere
  mkdirSync(dir, {recursive: true, mode: 0o700})
  const found = lstatSync(dir)
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) {
    throw new OllamaxError('STATE_IO', `${dir} is not a directory of yours alone`, {
      suggestions: [`look at it, and then: chmod 700 ${dir}, or remove it`],
    })
  }
  return {dir, id, control: join(dir, `${id}.sock`)}
}

/** The socket through which one node is reached; another target, key or port is another socket. */
export function nodeSocket(place: HolderPlace, key: string): string {
  return join(place.dir, `${place.id}-${shortHash(key)}.sock`)
}

function shortHash(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 12)
}
