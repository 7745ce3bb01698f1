import {OllamaxError} from '../errors.ts'
import {asRoot, rootFor, scriptAsRoot} from '../provision/privilege.ts'
import {commandLine} from '../ssh/channels/exec.ts'
import type {ExecOptions, ExecResult, Remote} from '../ssh/remote.ts'
import {type Look, readLook} from './read-look.ts'
import {LOOK} from './store-scripts.ts'

/** The directory in which a node's Ollama keeps its models, and the right to use it. */
export interface Store {
  readonly node: string
  /** As it was when it was opened. */
  readonly look: Look
  readonly remote: Remote
  /** True where its files are read through sudo, which wants no password. */
  readonly bySudo: boolean
  /**
   * The line by which whoever logs in there runs a script of ours with the rights that the store needs; undefined where
   * that takes a password. The script's output begins after a line with `marker`.
   */
  line(script: string, args: readonly string[], marker: string): string | undefined
  /** Runs a script of ours with the rights that the store needs. */
  run(script: string, options: ExecOptions): Promise<ExecResult>
}

export interface OpenStoreOptions {
  readonly node: string
  /** Its directory, where that is known. */
  readonly dir?: string | undefined
  readonly install?: string | undefined
  readonly access: 'read' | 'write'
  /** Paths of manifests to be read. */
  readonly manifests?: readonly string[]
  /** Gives the password for sudo; called only where sudo wants one. */
  readonly sudoPassword: () => Promise<string>
  readonly signal: AbortSignal
}

/**
 * Finds and opens a node's store; becomes root only where the login account may not do what is wanted. SUDO_DENIED
 * where it may not become root either; UNFIT for a machine without a POSIX shell.
 */
export async function openStore(remote: Remote, options: OpenStoreOptions): Promise<Store> {
  const {node, dir = '', install = '', manifests = [], signal} = options
  const call = {args: [dir, install, ...manifests], reads: true, signal} as const
  const first = lookIn(await remote.exec(LOOK, call), node)
  if (mayUse(first, options.access))
    return {
      node,
      look: first,
      remote,
      bySudo: false,
      line: (script, args, marker) => commandLine(script, args, {marker}),
      run: (script, more) => remote.exec(script, more),
    }
  const root = await rootFor(first.sudo, options.sudoPassword)
  if (!root || root.kind === 'is-root') throw noRights(node, first, options.access)
  // Found as the login account: root has a home of its own.
  const again = {args: [first.dir, install, ...manifests], reads: true, signal} as const
  const seen = lookIn(await asRoot(remote, root, {script: LOOK, options: again}), node)
  const look = seen.exists ? seen : {...seen, owner: first.owner}
  return {
    node,
    look,
    remote,
    bySudo: root.kind === 'sudo',
    line(script, args, marker) {
      const call = scriptAsRoot(root, script, args)
      return call && commandLine(call.script, call.args, {marker})
    },
    run: (script, more) => asRoot(remote, root, {script, options: more}),
  }
}

/** Without a store there is nothing to read, and writing begins with making one. */
function mayUse(look: Look, access: 'read' | 'write'): boolean {
  if (look.uid === 0) return true
  if (access === 'read') return look.readable
  return look.writable && look.owner.startsWith(`${look.uid}:`)
}

function lookIn(said: ExecResult, node: string): Look {
  const look = readLook(said.stdout)
  if (look) return look
  throw new OllamaxError('UNFIT', `${node} did not tell where its models lie`, {
    suggestions: [`ollamax doctor ${node}`],
    details: {node, exit: said.code, stderr: said.stderr.slice(-500)},
  })
}

function noRights(node: string, look: Look, access: 'read' | 'write'): OllamaxError {
  const verb = access === 'read' ? 'read' : 'write to'
  return new OllamaxError(
    'SUDO_DENIED',
    `${node}: the account may not ${verb} ${look.dir}, and it cannot become root there`,
    {
      suggestions: ['log in there as an account that may use sudo, or as the owner of the models'],
      details: {node, dir: look.dir, owner: look.owner},
    },
  )
}
