import {statSync} from 'node:fs'

/** Files are compared this often: cheap, and right also where a directory cannot be watched. */
const EVERY_MS = 1000

/**
 * Calls back when one of the files was replaced, changed, made or removed since the last look. Several changes
 * within a look are one call.
 */
export function watchFiles(paths: readonly string[], changed: () => void): {close(): void} {
  let known = stateOf(paths)
  const timer = setInterval(() => {
    const now = stateOf(paths)
    if (now === known) return
    known = now
    changed()
  }, EVERY_MS)
  return {close: () => clearInterval(timer)}
}

function stateOf(paths: readonly string[]): string {
  return paths
    .map((path) => {
      const found = statSync(path, {bigint: true, throwIfNoEntry: false})
      return found ? `${found.ino}:${found.size}:${found.mtimeNs}` : 'none'
    })
    .join('|')
}
