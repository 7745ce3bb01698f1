import {PassThrough} from 'node:stream'
import {StringDecoder} from 'node:string_decoder'
import type {SshNode} from '../cluster/node.ts'
import {OllamaxError} from '../errors.ts'
import {asRoot} from '../provision/privilege.ts'
import type {ExecOptions, ExecResult, Remote} from '../ssh/remote.ts'
import {sudoPassword} from './control-node.ts'
import {rootAfter} from './root-on.ts'
import {LOGS} from './service-scripts.ts'
import {sshNodeNamed} from './ssh-node.ts'
import type {Tools} from './tools.ts'

export interface LogsOptions {
  readonly name: string
  readonly lines: number
  /** How far back, in ms. */
  readonly sinceMs?: number | undefined
  /** Go on until the command is aborted. */
  readonly follow: boolean
  readonly onText: (text: string) => void
}

type LogTools = Pick<Tools, 'cluster' | 'dial' | 'signal' | 'ask' | 'env'>

const DAY_MS = 86_400_000

/**
 * Hands over the log of Ollama's service on a node as it comes. Errors: NODE_NOT_FOUND, BAD_INPUT (a
 * node without SSH; `sinceMs` for a log without times), SUDO_DENIED, ACTION_FAILED.
 */
export async function readLogs(tools: LogTools, options: LogsOptions): Promise<void> {
  const {nodes} = await tools.cluster()
  const node = sshNodeNamed(nodes, options.name, 'read its log')
  const remote = await tools.dial(node)
  const said = await run(tools, {remote, node, options})
  if (said.code !== 0) throw logsFailed(node, said)
}

async function run(
  tools: LogTools,
  {remote, node, options}: {remote: Remote; node: SshNode; options: LogsOptions},
): Promise<ExecResult> {
  const said = await remote.exec(LOGS, execOptions(tools, node, options))
  if (said.code !== 76 && said.code !== 77) return said
  if (options.follow)
    throw new OllamaxError(
      'SUDO_DENIED',
      `the account on ${node.name} may not read the journal, and sudo wants a ${said.code === 76 ? 'terminal' : 'password'} there`,
      {suggestions: [`on the host: sudo usermod -aG systemd-journal ${accountOf(node)}`]},
    )
  const password = () => sudoPassword(tools, node)
  const root = await rootAfter(remote, said.code, {name: node.name, password})
  return asRoot(remote, root, {script: LOGS, options: execOptions(tools, node, options)})
}

function execOptions(tools: LogTools, node: SshNode, options: LogsOptions): ExecOptions {
  const since = options.sinceMs === undefined ? '' : `-${Math.ceil(options.sinceMs / 1000)}s`
  return {
    reads: true,
    args: [node.install ?? '', String(options.lines), since, options.follow ? '1' : '0'],
    signal: tools.signal,
    timeoutMs: options.follow ? DAY_MS : 60_000,
    maxBytes: 64 * 1024,
    onStdout: afterFirstLine(options.onText),
    // Open as long as we want to hear: its end is what ends the script.
    ...(options.follow ? {stdin: new PassThrough()} : {}),
  }
}

const accountOf = (node: SshNode) =>
  node.ssh.includes('@') ? node.ssh.slice(0, node.ssh.lastIndexOf('@')) : '$USER'

/** The script's first line says what it found; the rest is the log. */
function afterFirstLine(onText: (text: string) => void): (chunk: Buffer) => void {
  const decoder = new StringDecoder('utf8')
  let head = true
  return (chunk) => {
    let text = decoder.write(chunk)
    if (head) {
      const at = text.indexOf('\n')
      head = at < 0
      text = head ? '' : text.slice(at + 1)
    }
    if (text !== '') onText(text)
  }
}

function logsFailed(node: SshNode, said: ExecResult): OllamaxError {
  if (said.code === 79)
    return new OllamaxError('BAD_INPUT', `the log of ${node.name} is a plain file without times`, {
      suggestions: ['leave out --since, and say how many lines with --lines'],
    })
  if (said.code === 78)
    return new OllamaxError(
      'ACTION_FAILED',
      `${node.name} has no service whose log could be read`,
      {
        suggestions: [`see what is there: ollamax doctor ${node.name}`],
      },
    )
  const why = said.stderr.trim().split('\n').at(-1) || `exit code ${said.code}`
  return new OllamaxError('ACTION_FAILED', `cannot read the log of ${node.name}: ${why}`, {
    details: {exit: said.code, stderr: said.stderr.slice(-2000)},
  })
}
