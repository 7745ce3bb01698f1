import {existsSync, readdirSync, statSync} from 'node:fs'
import {homedir} from 'node:os'
import {dirname, join} from 'node:path'
import type {Finding} from '../../cluster/finding.ts'
import type {Cluster} from '../../cluster/node.ts'
import {clusterFile} from '../../state/load.ts'
import {readHolder} from '../control-holder.ts'
import {readEngine} from '../read-engine.ts'
import type {Tools} from '../tools.ts'

type OperatorTools = Pick<Tools, 'env' | 'paths' | 'clusterName' | 'signal'>

/** What is wrong on this machine, as far as nodes depend on it. */
export async function diagnoseOperator(tools: OperatorTools, cluster: Cluster): Promise<Finding[]> {
  const ssh = cluster.nodes.some((node) => node.kind === 'ssh')
  const embedded = cluster.nodes.some((node) => node.kind === 'embedded')
  return [
    ...fileMode(tools),
    ...(ssh ? keys(tools) : []),
    ...(ssh ? nativeCode() : []),
    ...(ssh ? await holder(tools) : []),
    ...(embedded ? await engine(tools) : []),
  ]
}

function fileMode({paths, clusterName}: OperatorTools): Finding[] {
  const file = clusterFile(paths, clusterName())
  const mode = existsSync(file) ? statSync(file).mode & 0o777 : 0o600
  if (process.platform === 'win32' || (mode & 0o077) === 0) return []
  return [
    {
      severity: 'warning',
      check: 'cluster-file',
      text: `others on this machine may read ${file} (mode ${mode.toString(8)})`,
      next: `chmod 600 ${file}`,
    },
  ]
}

function keys({env}: OperatorTools): Finding[] {
  const agent = env.SSH_AUTH_SOCK
  const agentThere = agent !== undefined && existsSync(agent)
  const directory = join(env.HOME || homedir(), '.ssh')
  const files = existsSync(directory)
    ? readdirSync(directory).filter((name) => /^id_(?!.*\.pub$)/.test(name))
    : []
  const findings: Finding[] = []
  if (agent !== undefined && agent !== '' && !agentThere)
    findings.push({
      severity: 'warning',
      check: 'ssh-agent',
      text: `SSH_AUTH_SOCK names ${agent}, and no agent is there`,
      next: 'eval "$(ssh-agent)"; ssh-add',
    })
  if (!agentThere && files.length === 0 && !existsSync(join(directory, 'config')))
    findings.push({
      severity: 'info',
      check: 'ssh-key',
      text: 'there is neither an SSH agent, nor a key or a config in ~/.ssh: nodes would have to take a password',
      next: 'ssh-keygen -t ed25519, then ssh-copy-id user@host',
    })
  return findings
}

/** ssh2's optional native code: without it transfers cost more processor time. */
function nativeCode(): Finding[] {
  let at = dirname(process.argv[1] ?? '')
  while (!existsSync(join(at, 'node_modules/ssh2')) && dirname(at) !== at) at = dirname(at)
  const addon = 'node_modules/ssh2/lib/protocol/crypto/build/Release/sshcrypto.node'
  if (!existsSync(join(at, 'node_modules/ssh2')) || existsSync(join(at, addon))) return []
  return [
    {
      severity: 'info',
      check: 'ssh2-native',
      text: 'the native part of ssh2 is not built; all works, transfers cost more processor time',
      next: 'install a C++ compiler, then: npm rebuild ssh2',
    },
  ]
}

async function holder(tools: OperatorTools): Promise<Finding[]> {
  const status = await readHolder(tools)
  const lost = status?.links.filter((link) => !link.connected) ?? []
  return lost.map((link) => ({
    severity: 'info',
    check: 'holder',
    text: `the connection holder has lost ${link.node}; it connects again when it is needed`,
  }))
}

async function engine(tools: OperatorTools): Promise<Finding[]> {
  const status = await readEngine(tools)
  if (status.state !== 'not answering') return []
  return [
    {
      severity: 'error',
      check: 'engine',
      text: 'the process of the embedded node runs and does not answer',
      ...(status.problem === null ? {} : {cause: status.problem}),
      next: 'ollamax engine stop, then ollamax engine start',
    },
  ]
}
