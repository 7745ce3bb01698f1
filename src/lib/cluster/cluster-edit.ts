import type {Cluster, NodeSpec} from './node.ts'

/** A change of one cluster file under its lock; comments and hand edits in it survive. */
export interface ClusterEdit {
  /** The file as it is now, re-read under the lock, with the changes made so far. */
  readonly cluster: Cluster
  /** Adds a node at the end; NODE_EXISTS if the name is taken. */
  addNode(node: NodeSpec): void
  /** Replaces what differs between the node of that name and `node`, leaving the rest of its text alone. */
  replaceNode(name: string, node: NodeSpec): void
  /** NODE_NOT_FOUND, with the nearest name, if there is none. */
  removeNode(name: string): void
  /**
   * Sets (`undefined`: takes away) the value at a path of the file as it is written in YAML, for example
   * `['defaults', 'readTimeout']` to `3s`. A node is named, not counted: `['nodes', 'gpu-1', 'drained']`.
   */
  set(path: readonly string[], value: unknown): void
}
