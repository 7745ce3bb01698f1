import type {SshNode} from '../cluster/node.ts'
import {selectNodes} from '../cluster/select.ts'
import {messageOf} from '../errors.ts'
import {dropNodeLock, readNodeLock} from '../provision/node-lock.ts'
import {probe} from '../provision/probe.ts'
import {parseHolder} from '../state/lock-holder.ts'
import {confirmed} from './confirm.ts'
import {eachOf} from './each-of.ts'
import {rootOn} from './root-on.ts'
import {overSsh} from './ssh-node.ts'
import {sudoPasswordOf} from './sudo-password.ts'
import type {Tools} from './tools.ts'

/** Who has the lock of a node's machine, as that machine says. */
export interface NodeLock {
  readonly node: string
  /** Absent: it could not be asked. */
  readonly held?: boolean
  /** Who took it, and for what. */
  readonly why?: string
  /** ISO 8601. */
  readonly since?: string
  /** Why it could not be asked. */
  readonly error?: string
}

type LockTools = Pick<Tools, 'cluster' | 'dial' | 'signal' | 'ask' | 'env'>

/** Asks the machines of the named nodes, or globs of them, who has their lock. NODE_NOT_FOUND, BAD_INPUT. */
export async function nodeLocks(tools: LockTools, names: readonly string[]): Promise<NodeLock[]> {
  return eachOf(await chosen(tools, names), 16, async (node) => (await lockOf(tools, node)).row)
}

/** Takes the locks of machines away from whoever has them, after a question; gives who that was. */
export async function releaseNodeLocks(
  tools: LockTools,
  {names, yes}: {readonly names: readonly string[]; readonly yes: boolean},
): Promise<NodeLock[]> {
  const nodes = await chosen(tools, names)
  const sudoPassword = sudoPasswordOf(tools, undefined)
  return eachOf(nodes, 1, async (node) => {
    const {row, nonce} = await lockOf(tools, node)
    if (nonce === undefined) return row
    const question = `Take the lock of ${node.name} from ${row.why}, since ${row.since}?`
    await confirmed(tools, yes, question)
    const {signal} = tools
    const remote = await tools.dial(node)
    const facts = await probe(remote, {port: node.ollama.port, signal})
    const install = node.install === 'user' ? 'user' : 'system'
    const {name} = node
    const root =
      install === 'system' ? await rootOn(remote, facts, {name, sudoPassword}) : undefined
    await dropNodeLock(remote, {install, home: facts.home, root, signal}, nonce)
    return row
  })
}

async function chosen(tools: LockTools, names: readonly string[]): Promise<SshNode[]> {
  const {nodes} = await tools.cluster()
  return selectNodes(nodes, {names, labels: []}).map((node) => overSsh(node, 'lock it'))
}

async function lockOf(
  tools: LockTools,
  node: SshNode,
): Promise<{readonly row: NodeLock; readonly nonce?: string}> {
  try {
    const text = await readNodeLock(await tools.dial(node), tools.signal)
    if (text === undefined) return {row: {node: node.name, held: false}}
    const holder = parseHolder(text)
    const {why = 'unknown', since = 'unknown'} = holder ?? {}
    // What cannot be read is taken away by any word that stands in it.
    return {
      row: {node: node.name, held: true, why, since},
      nonce: holder?.nonce ?? text.slice(0, 40),
    }
  } catch (error) {
    tools.signal.throwIfAborted()
    return {row: {node: node.name, error: messageOf(error)}}
  }
}
