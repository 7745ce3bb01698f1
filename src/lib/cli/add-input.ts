import {readFile} from 'node:fs/promises'
import {resolve} from 'node:path'
import {labelProblem, variableProblem} from '../cluster/names.ts'
import type {SecretRef} from '../cluster/node.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import type {AddedNodes, AddNodeOptions} from '../jobs/add-node.ts'
import {readTargets} from '../jobs/add-target.ts'
import {describeRow} from '../jobs/added-node.ts'
import {table} from './output.ts'
import {readPassword} from './read-password.ts'

/** The flags of `node add` as the parser gives them. */
export interface AddFlags {
  readonly file?: string | undefined
  readonly name?: string | undefined
  readonly label?: readonly string[] | undefined
  readonly 'ollama-version'?: string | undefined
  readonly artifact?: string | undefined
  readonly 'artifact-sha256'?: string | undefined
  readonly env?: readonly string[] | undefined
  readonly port?: number | undefined
  readonly install: boolean
  readonly 'user-mode'?: boolean | undefined
  readonly 'accept-host-key'?: boolean | undefined
  readonly 'host-key'?: string | undefined
  readonly 'sudo-password-stdin'?: boolean | undefined
  readonly header?: readonly string[] | undefined
  readonly ca?: string | undefined
  readonly concurrency: number
  readonly 'dry-run'?: boolean | undefined
  readonly yes?: boolean | undefined
}

/** Checks what the user typed before any machine is touched; BAD_INPUT says what is wrong. */
export async function readAddFlags(
  words: readonly string[],
  flags: AddFlags,
): Promise<Omit<AddNodeOptions, 'report'>> {
  const listed = flags.file === undefined ? [] : readTargets(await readInput(flags.file))
  const key = flags['host-key']?.replace(/=$/, '')
  if (key !== undefined && !/^SHA256:[A-Za-z0-9+/]{43}$/.test(key))
    throw bad(`--host-key takes a fingerprint like SHA256:..., and not ${JSON.stringify(key)}`, [
      'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub prints it on the machine itself',
    ])
  const version = readVersion(flags['ollama-version'], 'ollama-version')
  const sha256 = flags['artifact-sha256']?.toLowerCase()
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256))
    throw bad('--artifact-sha256 takes 64 hexadecimal digits')
  return {
    targets: [...words, ...listed],
    name: flags.name,
    labels: readLabels(flags.label ?? []),
    version,
    artifact: flags.artifact,
    artifactSha256: sha256,
    env: readEnv(flags.env ?? []),
    port: flags.port,
    install: flags.install,
    userMode: flags['user-mode'] ?? false,
    acceptHostKey: key ?? flags['accept-host-key'],
    headers: readHeaders(flags.header ?? []),
    // As it stands in the cluster file, it must hold from any directory.
    ca: flags.ca === undefined ? undefined : resolve(flags.ca),
    sudoPassword: flags['sudo-password-stdin'] ? await readPassword() : undefined,
    dryRun: flags['dry-run'] ?? false,
    yes: flags.yes ?? false,
    concurrency: flags.concurrency,
  }
}

/** A version as users write it, with or without `v`. BAD_INPUT. */
export function readVersion(text: string | undefined, flag: string): string | undefined {
  const version = text?.replace(/^v/, '')
  if (version === undefined || /^\d+\.\d+\.\d+(-[A-Za-z0-9.]+)?$/.test(version)) return version
  throw bad(`--${flag} ${JSON.stringify(version)} is no version`, ['for example 0.33.0'])
}

async function readInput(path: string): Promise<string> {
  try {
    return await readFile(path === '-' ? '/dev/stdin' : path, 'utf8')
  } catch (error) {
    throw bad(`--file ${path} cannot be read: ${messageOf(error)}`)
  }
}

function pair(word: string, flag: string): [string, string] {
  const at = word.indexOf('=')
  if (at > 0) return [word.slice(0, at), word.slice(at + 1)]
  throw bad(`--${flag} takes NAME=VALUE, and not ${JSON.stringify(word)}`)
}

/** Labels as `K=V`; BAD_INPUT. */
export function readLabels(words: readonly string[]): Record<string, string> {
  const labels = words.map((word) => pair(word, 'label'))
  for (const [key, value] of labels) {
    const problem = labelProblem(key, value)
    if (problem) throw bad(problem)
  }
  return Object.fromEntries(labels)
}

function readEnv(words: readonly string[]): Record<string, string> {
  const env = words.map((word) => pair(word, 'env'))
  for (const [key, value] of env) {
    // The cluster file's own rule: what it refuses must not be done to a machine first.
    const problem = variableProblem(key, value)
    if (problem === undefined) continue
    throw bad(
      `--env ${key}: ${problem}`,
      /secret/.test(problem)
        ? ['Put it into a drop-in of your own on the host: systemctl edit ollama']
        : [],
    )
  }
  return Object.fromEntries(env)
}

function readHeaders(words: readonly string[]): Record<string, string | SecretRef> {
  return Object.fromEntries(
    words.map((word) => {
      const [name, value] = pair(word, 'header')
      if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
        throw bad(`--header: ${JSON.stringify(name)} is no name of a header`)
      const ref = /^(env|file):(.+)$/.exec(value)
      if (ref?.[1] === 'env' && ref[2]) return [name, {env: ref[2]}]
      if (ref?.[1] === 'file' && ref[2]) return [name, {file: resolve(ref[2])}]
      if (/authorization|cookie|token|key|secret|password/i.test(name))
        throw bad(`--header ${name}: a secret does not belong into the cluster file`, [
          `Take it from the environment or a file: --header ${name}=env:NAME or --header ${name}=file:PATH`,
        ])
      return [name, value]
    }),
  )
}

/** A row per target, then what each would do or what to know of it. */
export async function describeAdded(result: AddedNodes): Promise<string> {
  const columns = ['NODE', 'TARGET', 'RESULT', 'OLLAMA', 'ABOUT']
  const rows = result.nodes.map((node) => [
    node.name,
    node.target,
    {text: node.outcome, tone: node.outcome === 'failed' ? ('bad' as const) : ('good' as const)},
    node.version ?? '-',
    describeRow(node),
  ])
  const text = [await table(columns, rows)]
  if (result.dryRun)
    for (const node of result.nodes)
      for (const [at, step] of node.steps.entries())
        text.push(`${node.name}: ${at + 1}. ${step.title}${step.root ? ' (as root)' : ''}`)
  return text.join('\n')
}

/** SOME_NODES_FAILED with all rows; undefined if none failed. */
export function failureOf(result: AddedNodes): OllamaxError | undefined {
  const failed = result.nodes.filter((node) => node.error)
  if (failed.length === 0) return undefined
  return new OllamaxError(
    'SOME_NODES_FAILED',
    [
      `${failed.length} of ${result.nodes.length} machines could not be added:`,
      ...failed.map((node) => `${node.name}: ${node.error?.message}`),
    ].join('\n'),
    {
      suggestions: [
        // What was done before a step is said per machine in the details.
        ...new Set(
          failed
            .flatMap((node) => node.error?.suggestions ?? [])
            .filter((it) => !/^(Done|Nothing was changed) before it/.test(it)),
        ),
        'Run the same command again: what is done already is not done twice',
      ],
      details: {nodes: result.nodes},
    },
  )
}

function bad(message: string, suggestions: readonly string[] = []): OllamaxError {
  return new OllamaxError('BAD_INPUT', message, {suggestions})
}
