import {messageOf, OllamaxError} from '../../errors.ts'
import {dropNodeLock, type NodeLockPlace, takeNodeLock} from '../../provision/node-lock.ts'
import type {Remote} from '../../ssh/remote.ts'
import {describeMe, diedHere, type Holder, parseHolder} from '../../state/lock-holder.ts'

/** Longest time for taking the lock away when the work has ended, also after an interrupt. */
const AFTERWARDS_MS = 10_000

export interface HoldNodeOptions extends NodeLockPlace {
  readonly name: string
  /** `ann@desk: upgrade ...`, for those who find it taken. */
  readonly why: string
}

/**
 * Holds the lock of a machine, so that the operators of two machines do not change it at once; returns the way to
 * let go. A holder that died on this very machine is replaced. LOCKED names the holder.
 */
export async function holdNode(
  remote: Remote,
  options: HoldNodeOptions,
): Promise<() => Promise<void>> {
  const me = await describeMe(options.why)
  const text = JSON.stringify(me)
  let found = await takeNodeLock(remote, options, text)
  const holder = found === undefined ? undefined : parseHolder(found)
  if (holder && (await diedHere(holder))) {
    await dropNodeLock(remote, options, holder.nonce)
    found = await takeNodeLock(remote, options, text)
  }
  if (found !== undefined) throw taken(options.name, parseHolder(found))
  return () =>
    dropNodeLock(remote, {...options, signal: AbortSignal.timeout(AFTERWARDS_MS)}, me.nonce)
}

function taken(name: string, holder: Holder | undefined): OllamaxError {
  const who = holder
    ? `${holder.why} (process ${holder.pid} on ${holder.host.split(' ')[0]}) since ${holder.since}`
    : 'somebody unknown'
  return new OllamaxError('LOCKED', `${name} is being changed by ${who}`, {
    suggestions: [
      'wait until that has ended',
      `if it cannot be running any more: ollamax lock release --node ${name}`,
    ],
    details: {node: name, ...(holder ? {why: holder.why, since: holder.since} : {})},
  })
}

/** A lock that could not be let go of stops nothing; who comes next is told how to. */
export async function letGoOf(
  release: (() => Promise<void>) | undefined,
  warn: (text: string) => void,
): Promise<void> {
  await release?.().catch((error: unknown) => {
    warn(`its deploy lock is still there (ollamax lock release --node): ${messageOf(error)}`)
  })
}
