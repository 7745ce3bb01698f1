import type {Readable} from 'node:stream'
import type {SshNode} from '../cluster/node.ts'
import {type Selection, selectNodes} from '../cluster/select.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {eachOf} from './each-of.ts'
import {overSsh} from './ssh-node.ts'
import type {Tools} from './tools.ts'

export interface ExecOnNodesOptions {
  readonly selection: Selection
  /** One word is a line for the shell there; several are a program and its arguments, taken as they are. */
  readonly command: readonly string[]
  /** For one node only. */
  readonly stdin?: Readable
  /** For each node, connecting not included. */
  readonly timeoutMs: number
  readonly concurrency: number
  /** Called once the nodes are known, before anything runs. */
  readonly onNodes?: (names: readonly string[]) => void
  readonly onOutput?: (node: string, stream: 'stdout' | 'stderr', chunk: Buffer) => void
}

/** How it went on one node. */
export interface NodeExec {
  readonly node: string
  /** Exit code there; 128 + n where signal n ended it; 255: it could not be run at all. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** Why it could not be run. */
  readonly error?: {readonly code: string; readonly message: string}
}

const RUN_LINE = 'exec /bin/sh -c "$1"'
const RUN_WORDS = 'exec "$@"'

/**
 * Runs a command on the selected nodes at the same time. With one node, a failure to reach it is thrown;
 * with several it is that node's result. NODE_NOT_FOUND, BAD_INPUT (a node without SSH).
 */
export async function execOnNodes(
  tools: Pick<Tools, 'cluster' | 'dial' | 'signal'>,
  options: ExecOnNodesOptions,
): Promise<NodeExec[]> {
  const {nodes} = await tools.cluster()
  const chosen = selectNodes(nodes, options.selection).map((node) =>
    overSsh(node, 'run a command there'),
  )
  if (options.stdin && chosen.length > 1)
    throw new OllamaxError('BAD_INPUT', 'standard input can go to one node only', {
      suggestions: ['name one node, or leave out --stdin'],
    })
  options.onNodes?.(chosen.map((node) => node.name))
  return eachOf(chosen, options.concurrency, async (node) => {
    try {
      return await execOnNode(tools, node, options)
    } catch (error) {
      tools.signal.throwIfAborted()
      if (chosen.length === 1) throw error
      const code = OllamaxError.is(error) ? error.code : 'BUG'
      const failed = {code, message: messageOf(error)}
      return {node: node.name, code: 255, stdout: '', stderr: '', error: failed}
    }
  })
}

/** As a person would write it. */
const word = (text: string, _: number, all: readonly string[]) =>
  all.length > 1 && /[\s'"]|^$/.test(text) ? `'${text}'` : text

async function execOnNode(
  tools: Pick<Tools, 'dial' | 'signal'>,
  node: SshNode,
  {command, stdin, timeoutMs, onOutput}: ExecOnNodesOptions,
): Promise<NodeExec> {
  const remote = await tools.dial(node)
  const result = await remote.exec(command.length === 1 ? RUN_LINE : RUN_WORDS, {
    title: `exec: ${command.map(word).join(' ')}`,
    args: command,
    ...(stdin ? {stdin} : {}),
    timeoutMs,
    signal: tools.signal,
    onStdout: (chunk) => onOutput?.(node.name, 'stdout', chunk),
    onStderr: (chunk) => onOutput?.(node.name, 'stderr', chunk),
  })
  return {node: node.name, ...result}
}
