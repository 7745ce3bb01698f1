import {accessSync, constants} from 'node:fs'
import {join} from 'node:path'
import {test} from 'vitest'

/** Directories that a plain user's PATH may lack. */
const EXTRA = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** Everything that the lab of real hosts is made with. */
export const LAB_NEEDS = [
  'root',
  'mmdebstrap',
  'unshare',
  'nsenter',
  'setpriv',
  'ip',
  'nft',
  'ssh',
  'ssh-keygen',
] as const

/**
 * `test`, for tests that need these programs (or `root`). Where one is missing they are skipped and the reason is printed;
 * with CI=true that is a failure instead, because there nobody would notice.
 */
export function needs(...tools: readonly string[]): typeof test {
  const missing = tools.filter((tool) => !has(tool))
  if (missing.length === 0) return test
  const reason = `needs ${missing.join(', ')}, which this machine does not have`
  if (process.env.CI === 'true') throw new Error(`${reason}; with CI=true nothing is skipped`)
  console.warn(`skipped: ${reason}`)
  return test.skip as typeof test
}

function has(tool: string): boolean {
  if (tool === 'root') return process.getuid?.() === 0
  return [...(process.env.PATH ?? '').split(':'), ...EXTRA].some((dir) => {
    try {
      accessSync(join(dir, tool), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
