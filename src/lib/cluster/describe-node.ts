import type {NodeSpec} from './node.ts'

/** Where a node is, as the user wrote it: `ssh ubuntu@gpu-1`, a URL, `embedded`. */
export function describeTarget(node: NodeSpec): string {
  if (node.kind === 'ssh') return node.ssh
  return node.kind === 'direct' ? node.url : 'embedded'
}
