import type {SshNode, WantedOllama} from '../cluster/node.ts'
import type {WantedNode} from '../provision/plan-value.ts'

/** What a plan for the host takes: what the file wants of a node's Ollama, where that is ours. */
export function wantedHost(node: SshNode, ollama: WantedOllama = node.ollama): WantedNode {
  const {version, port, env = {}} = ollama
  return {
    install: node.install === 'system' || node.install === 'user',
    userMode: node.install === 'user',
    version,
    port,
    env,
  }
}
