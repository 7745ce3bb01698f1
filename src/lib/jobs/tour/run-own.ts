import {spawn} from 'node:child_process'
import {messageOf, OllamaxError} from '../../errors.ts'
import type {Tools} from '../tools.ts'

export interface OwnProgram {
  /** Path of our own program, to be run by this same Node. */
  readonly program: string
  /** True: what the command prints as its result goes to stderr. */
  readonly quiet: boolean
}

/**
 * Runs one of our own commands at this terminal, as if it had been typed: it asks, shows and cleans up by itself.
 * INTERRUPTED if it was; STEP_FAILED for any other end than success, which it has explained already.
 */
export async function runOwn(
  {env, signal}: Pick<Tools, 'env' | 'signal'>,
  words: readonly string[],
  {program, quiet}: OwnProgram,
): Promise<void> {
  signal.throwIfAborted()
  const child = spawn(process.execPath, [program, ...words], {
    env,
    stdio: ['inherit', quiet ? 2 : 'inherit', 'inherit'],
  })
  // At a terminal Ctrl-C has reached the child already, and a second signal would not let it end in order.
  const names = process.stdin.isTTY ? (['SIGTERM'] as const) : (['SIGTERM', 'SIGINT'] as const)
  const listeners = names.map((name) => [name, () => child.kill(name)] as const)
  for (const [name, pass] of listeners) process.on(name, pass)
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, name) => resolve(code ?? (name === 'SIGINT' ? 130 : 1)))
    })
    signal.throwIfAborted()
    if (code === 0) return
    if (code === 130) throw new OllamaxError('INTERRUPTED', 'interrupted')
    throw new OllamaxError(
      'STEP_FAILED',
      `"ollamax ${words.join(' ')}" ended with exit code ${code}`,
    )
  } catch (error) {
    if (OllamaxError.is(error) || signal.aborted) throw error
    throw new OllamaxError('STEP_FAILED', `ollamax cannot start itself: ${messageOf(error)}`)
  } finally {
    for (const [name, pass] of listeners) process.removeListener(name, pass)
  }
}
