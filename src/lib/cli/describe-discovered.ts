import type {DiscoveredNode} from '../jobs/discover-nodes.ts'
import {table} from './output.ts'

/** A row per machine, by address. */
export function describeDiscovered(machines: readonly DiscoveredNode[]): Promise<string> {
  const rows = machines.map(({address, name, ssh, ollama, node, add}) => [
    address,
    name ?? '-',
    ssh ? (ssh.greeting ?? `port ${ssh.port}`) : '-',
    ollama ? (ollama.version ?? `port ${ollama.port}`) : '-',
    node ?? '-',
    add ?? '-',
  ])
  return table(['ADDRESS', 'NAME', 'SSH', 'OLLAMA', 'NODE', 'ADD IT BY'], rows)
}
