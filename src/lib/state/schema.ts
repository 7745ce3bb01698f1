import {z} from 'zod'
import {nameProblem} from '../cluster/names.ts'
import {API_VERSION} from '../cluster/node.ts'
import {hooks} from './hooks-schema.ts'
import {duration, environment, labels, text, version} from './schema-parts.ts'
import {aliases, group, wantedModel} from './wanted-schema.ts'

const CONTROL = /\p{Cc}/u
const SECRET_HEADER = /^(?:proxy-)?authorization$|cookie|token|secret|password|api[-_]?key/i

/** What is wrong with a URL of a node or gateway; undefined: nothing. */
function urlProblem(value: string): string | undefined {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (!url || !/^https?:\/\//i.test(value))
    return 'must be a URL that begins with http:// or https://'
  if (url.username || url.password)
    return 'must hold no user or password; use headers with {env: NAME} or {file: PATH}'
  if (url.search || url.hash) return 'must hold no ?query and no #fragment'
  return undefined
}

function sshProblem(value: string): string | undefined {
  if (value === '') return 'is empty; write [user@]host[:port] or an alias of ssh_config'
  if (/\s/.test(value) || CONTROL.test(value)) return 'must hold no spaces or control characters'
  if (value.startsWith('-')) return 'must not begin with "-"'
  const user = value.includes('@') ? value.slice(0, value.lastIndexOf('@')) : ''
  if (user.includes(':')) return 'must hold no password; passwords are asked for'
  return undefined
}

const secretRef = z.union(
  [
    z.strictObject({env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/)}),
    z.strictObject({file: z.string().min(1)}),
  ],
  {error: () => 'must be {env: NAME} or {file: PATH}'},
)

const headers = z
  .record(
    z.string(),
    z.union([z.string(), secretRef], {error: () => 'must be a text, {env: NAME} or {file: PATH}'}),
  )
  .superRefine((all, context) => {
    for (const [name, value] of Object.entries(all)) {
      const message = headerProblem(name, value)
      if (message !== undefined) context.addIssue({code: 'custom', message, path: [name]})
    }
  })

function headerProblem(name: string, value: unknown): string | undefined {
  if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) return 'is no header name'
  if (typeof value !== 'string') return undefined
  if (CONTROL.test(value)) return 'must hold no line breaks or control characters'
  if (SECRET_HEADER.test(name) || /^(?:bearer|basic)\s/i.test(value))
    return 'is a secret, and secrets do not belong into this file; write {env: NAME} or {file: PATH}'
  return undefined
}

const ollama = z
  .strictObject({
    version: version.optional().describe('version to have there; absent: the one that is there'),
    port: z
      .int()
      .min(1)
      .max(65535)
      .optional()
      .describe('loopback port of Ollama there; default 11434'),
    env: environment
      .optional()
      .describe('variables for the service, for example `OLLAMA_NUM_PARALLEL: 4`; no secrets'),
  })
  .describe('what Ollama should be like on this node; absent parts are left as they are')

const node = z
  .strictObject({
    name: text(nameProblem).describe('unique in the cluster; letters, digits, `.`, `_`, `-`'),
    ssh: text(sshProblem)
      .optional()
      .describe('`[user@]host[:port]` or an alias of ssh_config: reached over SSH'),
    url: text(urlProblem)
      .optional()
      .describe('`http://` or `https://`: an Ollama that answers there directly'),
    embedded: z.literal(true).optional().describe('`true`: the small engine on this machine'),
    hostKey: text((value) =>
      /^SHA256:[A-Za-z0-9+/]{43}$/.test(value)
        ? undefined
        : 'must be a fingerprint as `ssh-keygen -lf` prints it, SHA256:...',
    )
      .optional()
      .describe('pinned SSH host key; another key is refused'),
    install: z
      .enum(['system', 'user', 'external'])
      .optional()
      .describe('who runs Ollama there: a `system` service, the `user` account, or `external`'),
    headers: headers
      .optional()
      .describe('sent with every request to `url`; a secret as `{env: NAME}` or `{file: PATH}`'),
    ca: z.string().min(1).optional().describe('PEM file with the CA to trust for `url`'),
    labels: labels.optional().describe('free `key: value` pairs to select nodes by'),
    drained: z.boolean().optional().describe('`true`: no new request goes there'),
    ollama: ollama.optional(),
  })
  .describe('one machine that can run models: exactly one of `ssh`, `url` and `embedded`')

/** The cluster file. Descriptions become docs/config.md. */
export const clusterSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION).describe('format of this file'),
  kind: z.literal('Cluster').describe('always `Cluster`'),
  policy: text((value) =>
    /^[a-z][a-z0-9-]*$/.test(value) ? undefined : 'must be the name of a policy, like round-robin',
  )
    .optional()
    .describe('balancer policy; default: the shortest expected time'),
  defaults: z
    .strictObject({
      readTimeout: duration
        .optional()
        .describe('longest wait for a node in `node list` and `node show`; default `3s`'),
      keepAlive: text((value) =>
        value === 'forever' || duration.safeParse(value).success
          ? undefined
          : 'must be a duration like 5m, or forever',
      )
        .optional()
        .describe('how long a model stays in memory after a request; `forever`: until stopped'),
      reuseIdle: duration
        .optional()
        .describe(
          'how long unused SSH connections are kept for the next command; default `10m`; `0s`: not at all',
        ),
    })
    .optional()
    .describe('what commands do when their flags do not say'),
  gateway: z
    .strictObject({
      url: text(urlProblem).describe('where `ollamax serve` can be reached'),
      key: secretRef.optional().describe('key for it: `{env: NAME}` or `{file: PATH}`'),
      ca: z.string().min(1).optional().describe('PEM file with the CA to trust for `url`'),
      hedge: z
        .boolean()
        .optional()
        .describe(
          '`true`: it asks a second warm, idle node when a first token is late, for at most 5 % of the requests',
        ),
    })
    .optional()
    .describe('a running gateway of this cluster: prompts go through it, so that it sees them all'),
  nodes: z.array(node).nullish().describe('the machines'),
  groups: z
    .array(group)
    .nullish()
    .describe(
      'what Ollama should be like on nodes of a kind; what a node says itself goes before it',
    ),
  models: z
    .array(wantedModel)
    .nullish()
    .describe('models that should be there: `ollamax plan` says what that takes, `apply` does it'),
  aliases: aliases
    .nullish()
    .describe('names that requests may use for a model: `fast: llama3.2:3b`'),
  hooks: hooks
    .nullish()
    .describe('programs on this machine that are run before and after nodes are changed'),
})

/** The cluster file as YAML holds it, once it is valid. */
export type ClusterFile = z.output<typeof clusterSchema>
export type NodeEntry = z.output<typeof node>

/** JSON schema (2020-12) of the cluster file, for editors and for the documentation. */
export function clusterJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(clusterSchema, {io: 'input'}) as Record<string, unknown>
}
