import type {NodeSpec, SshNode} from '../cluster/node.ts'
import {oneNode} from '../cluster/select.ts'
import {OllamaxError} from '../errors.ts'

/** The node if it is reached over SSH; BAD_INPUT says why `what` cannot be had for another kind. */
export function overSsh(node: NodeSpec, what: string): SshNode {
  if (node.kind === 'ssh') return node
  throw new OllamaxError(
    'BAD_INPUT',
    node.kind === 'direct'
      ? `${node.name} is reached by its URL alone, so there is no way to ${what}`
      : `${node.name} is the embedded node of this machine: there is no SSH to ${what}`,
    {
      suggestions: [
        node.kind === 'direct'
          ? `add the machine over SSH as well: ollamax node add user@host`
          : 'ollamax engine start, stop and status work on the embedded node',
      ],
      details: {node: node.name, kind: node.kind},
    },
  )
}

/** The SSH node of that very name. NODE_NOT_FOUND, or BAD_INPUT for a node of another kind. */
export function sshNodeNamed(nodes: readonly NodeSpec[], name: string, what: string): SshNode {
  return overSsh(oneNode(nodes, name), what)
}
