import {readFileSync} from 'node:fs'
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import type {Paths} from './paths.ts'
import {cannot, writeWhole} from './write-file.ts'

/** A deploy lock that somebody took by hand, which no process holds and which lasts until it is released. */
export interface HeldByHand {
  readonly who: string
  readonly reason: string
  /** ISO 8601. */
  readonly since: string
}

/** Where the deploy lock of a cluster lies on this machine. */
export const deployDirectory = (paths: Pick<Paths, 'data'>, cluster: string) =>
  join(paths.data, 'deploy', cluster)

const FILE = 'held.json'

/** Who holds it by hand; undefined: nobody. STATE_IO. */
export function heldByHand(directory: string): HeldByHand | undefined {
  const file = join(directory, FILE)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as {code?: string}).code === 'ENOENT') return undefined
    throw cannot('read', file, error)
  }
  try {
    const {who, reason, since} = JSON.parse(text) as Record<string, unknown>
    if (typeof who === 'string' && typeof reason === 'string' && typeof since === 'string')
      return {who, reason, since}
  } catch {
    // Somebody has spoilt it; who took it is not known, but it was taken.
  }
  return {who: 'unknown', reason: 'unknown', since: 'unknown'}
}

/** To be called under the lock of that directory. STATE_IO. */
export async function holdByHand(directory: string, held: HeldByHand): Promise<void> {
  await writeWhole(join(directory, FILE), `${JSON.stringify(held)}\n`)
}

/** STATE_IO. */
export async function letGo(directory: string): Promise<void> {
  const file = join(directory, FILE)
  await rm(file, {force: true}).catch((error: unknown) => {
    throw cannot('remove', file, error)
  })
}
