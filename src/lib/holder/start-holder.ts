import {spawn} from 'node:child_process'
import {closeSync, openSync, statSync, unlinkSync} from 'node:fs'
import {join} from 'node:path'
import {setTimeout as pause} from 'node:timers/promises'
import {withoutSecrets} from '../cluster/secret-env.ts'
import {askHolder} from './ask-holder.ts'
import type {HolderPlace} from './place.ts'

export interface StartOptions {
  /** Our own program and the words that make it a holder. */
  readonly command: readonly string[]
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly signal: AbortSignal
}

/** A start takes some tenths of a second; after this long another one may be tried. */
const START_MS = 10_000

/**
 * Starts a holder in the background unless another process is just doing so, and waits until one
 * answers. False if none does.
 */
export async function startHolder(place: HolderPlace, options: StartOptions): Promise<boolean> {
  const marker = join(place.dir, `${place.id}.starting`)
  const endMs = performance.now() + START_MS
  let ended = false
  const mine = claim(marker)
  if (mine) spawnHolder(options, () => (ended = true))
  try {
    while (performance.now() < endMs) {
      options.signal.throwIfAborted()
      const reply = await askHolder(place.control, {op: 'status'}, options.signal)
      if (reply) return true
      if (mine && ended) return false
      // The one who was starting it gave up.
      if (!mine && claim(marker)) return await startHolder(place, options)
      await pause(15, undefined, {signal: options.signal})
    }
    return false
  } finally {
    if (mine) drop(marker)
  }
}

/** Takes the right to start the holder; a claim that is too old is nobody's any more. */
function claim(marker: string): boolean {
  try {
    closeSync(openSync(marker, 'wx', 0o600))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  try {
    // A time that is yet to come is that of a clock which was set back.
    if (Math.abs(Date.now() - statSync(marker).mtimeMs) > START_MS) drop(marker)
  } catch {
    // Just given up: the next look will take it.
  }
  return false
}

function drop(marker: string): void {
  try {
    unlinkSync(marker)
  } catch {
    // Gone already.
  }
}

/** Detached and without our terminal: it outlives us. Secrets do not go into its environment. */
function spawnHolder({command, env}: StartOptions, onEnd: () => void): void {
  const child = spawn(command[0] ?? '', command.slice(1), {
    detached: true,
    stdio: 'ignore',
    cwd: '/',
    env: withoutSecrets(env),
  })
  child.on('error', onEnd)
  child.on('exit', onEnd)
  child.unref()
}
