import {createHash} from 'node:crypto'
import {readFileSync} from 'node:fs'
import {homedir} from 'node:os'
import {join} from 'node:path'
import {must} from './tools.ts'

const RECIPE = join(import.meta.dirname, 'image.sh')

/**
 * The directory of the hosts' shared root file system, in the user's cache; about a minute the first time. A changed
 * recipe makes a new one.
 */
export async function hostImage(): Promise<string> {
  const hash = createHash('sha256').update(readFileSync(RECIPE)).digest('hex').slice(0, 12)
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  const dir = join(cache, 'ollamax-test', `hosts-${hash}`)
  await must(['bash', RECIPE, dir], {timeoutMs: 280_000})
  return dir
}
