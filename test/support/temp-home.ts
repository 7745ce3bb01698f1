import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

/** A home that belongs to one test: nothing of the real user's is read or written. */
export interface TempHome {
  readonly dir: string
  /** A whole environment for a child process; nothing of OLLAMAX_* or OLLAMA_* leaks in from outside. */
  readonly env: Readonly<Record<string, string>>
  dispose(): void
}

export function tempHome(): TempHome {
  const dir = mkdtempSync(join(tmpdir(), 'ollamax-test-'))
  const inherited = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined &&
      !/^(OLLAMA|XDG_|SSH_|VITEST|NODE_|NO_COLOR|FORCE_COLOR)/.test(entry[0]),
  )
  return {
    dir,
    env: {...Object.fromEntries(inherited), HOME: dir, OLLAMAX_HOME: join(dir, 'ollamax')},
    dispose: () => rmSync(dir, {recursive: true, force: true}),
  }
}
