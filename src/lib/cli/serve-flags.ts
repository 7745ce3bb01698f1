import {resolve} from 'node:path'
import {Flags} from '@oclif/core'
import {parseSize} from '../cluster/size.ts'
import {OllamaxError} from '../errors.ts'

/** How the gateway is to be. */
export const serveFlags = () => ({
  listen: Flags.string({
    summary: 'address to listen on',
    default: '127.0.0.1:11435',
    helpValue: 'HOST:PORT',
    env: 'OLLAMAX_LISTEN',
  }),
  config: Flags.string({
    summary:
      "cluster file to serve instead of --cluster's; its keys are in NAME.keys.json beside it",
    helpValue: 'FILE',
  }),
  'tls-cert': Flags.string({
    summary: 'PEM file with the certificate (chain)',
    helpValue: 'FILE',
    dependsOn: ['tls-key'],
  }),
  'tls-key': Flags.string({
    summary: 'PEM file with its private key',
    helpValue: 'FILE',
    dependsOn: ['tls-cert'],
  }),
  'allow-cloud': Flags.boolean({
    summary: "let models through that a node would pass on to Ollama's cloud",
  }),
  'open-to-network': Flags.boolean({
    summary: 'listen beyond this machine although nobody needs a key',
  }),
  origin: Flags.string({
    multiple: true,
    default: [],
    summary: 'web page elsewhere that may use it, like https://chat.example.com',
    helpValue: 'ORIGIN',
  }),
  workers: Flags.integer({
    summary:
      'processes that answer clients, with one view of all requests; more than 1 use more cores',
    default: 1,
    min: 1,
    max: 64,
  }),
  reconcile: Flags.boolean({
    summary: 'keep the nodes as the cluster file wants them, as apply would, with an event log',
  }),
  'reconcile-every': Flags.string({
    summary: 'between two looks at all nodes over SSH',
    default: '30s',
    helpValue: '30s',
  }),
  'reconcile-grace': Flags.string({
    summary: 'for a silent node to come back before its models are brought to others',
    default: '5m',
    helpValue: '5m',
  }),
  registry: Flags.boolean({
    summary:
      "offer the nodes' models at /v2, for the pull of nodes: whoever may use it may copy them",
  }),
  'registry-cache': Flags.string({
    summary: 'directory for models that no node has: pulled once, then had from there by all',
    helpValue: 'DIR',
    dependsOn: ['registry'],
  }),
  'registry-cache-size': Flags.string({
    summary: 'room for them; what was of no use for longest goes first',
    default: '100GiB',
    helpValue: '100GiB',
  }),
  'registry-upstream': Flags.string({
    summary: 'registry that they come from',
    default: 'https://registry.ollama.ai',
    helpValue: 'URL',
  }),
  'log-level': Flags.option({
    options: ['debug', 'info', 'warn', 'error'] as const,
    default: 'info',
    summary: 'least important lines of the log, which goes to stderr; requests are at info',
  })(),
  'drain-timeout': Flags.string({
    summary: 'for running requests to end at shutdown',
    default: '30s',
    helpValue: '30s',
  }),
})

const ofService = {
  helpGroup: 'SERVICE',
  relationships: [{type: 'some' as const, flags: ['install', 'uninstall']}],
}

/** How it becomes a service, and stops being one. */
export const serviceFlags = () => ({
  install: Flags.boolean({
    summary:
      'make it a service of systemd that runs from boot on: of the machine as root, else of the account',
    exclusive: ['uninstall'],
    helpGroup: 'SERVICE',
  }),
  uninstall: Flags.boolean({summary: 'stop that service and remove it', helpGroup: 'SERVICE'}),
  user: Flags.string({
    ...ofService,
    summary: 'account that the service of the machine runs as; default: the one that called sudo',
    helpValue: 'NAME',
  }),
  'dry-run': Flags.boolean({
    ...ofService,
    summary: 'print the unit and the steps; change nothing',
  }),
  yes: Flags.boolean({...ofService, char: 'y', summary: 'do not ask'}),
})

/** What `serveFlags` parse to. */
export interface ServeFlags {
  readonly listen: string
  readonly config?: string | undefined
  readonly 'tls-cert'?: string | undefined
  readonly 'tls-key'?: string | undefined
  readonly 'allow-cloud'?: boolean
  readonly 'open-to-network'?: boolean
  readonly origin: readonly string[]
  readonly workers: number
  readonly reconcile?: boolean
  readonly 'reconcile-every': string
  readonly 'reconcile-grace': string
  readonly registry?: boolean
  readonly 'registry-cache'?: string | undefined
  readonly 'registry-cache-size': string
  readonly 'registry-upstream': string
  readonly 'log-level': string
  readonly 'drain-timeout': string
}

/** What `serviceFlags` parse to. */
export interface ServiceFlags {
  readonly uninstall?: boolean
  readonly user?: string | undefined
  readonly 'dry-run'?: boolean
  readonly yes?: boolean
}

/** How the registry of models is to be, if there is to be one. BAD_INPUT for a bad size or address. */
export function registrySettings(flags: ServeFlags) {
  if (!flags.registry) return {}
  const dir = registryDirectory(flags)
  if (dir === undefined) return {registry: {}}
  const upstream = flags['registry-upstream'].replace(/\/+$/, '')
  if (!/^https?:\/\//.test(upstream) || !URL.canParse(upstream))
    throw new OllamaxError('BAD_INPUT', `"${upstream}" is no address of a registry`, {
      suggestions: ['write it like https://registry.ollama.ai'],
    })
  const maxBytes = parseSize(flags['registry-cache-size'])
  return {registry: {cache: {dir, maxBytes, upstream}}}
}

/** Where the registry keeps models, absolute; undefined: it keeps none. */
export function registryDirectory(flags: ServeFlags): string | undefined {
  const dir = flags['registry-cache']
  return flags.registry && dir !== undefined ? resolve(dir) : undefined
}

/** The same command as words that mean the same in every directory; the cluster is not in them. */
export function serveWords(flags: ServeFlags): string[] {
  const file = (name: 'config' | 'tls-cert' | 'tls-key' | 'registry-cache') => {
    const path = flags[name]
    return path === undefined ? [] : [`--${name}`, resolve(path)]
  }
  return [
    'serve',
    ...['--listen', flags.listen],
    ...file('config'),
    ...file('tls-cert'),
    ...file('tls-key'),
    ...(flags['allow-cloud'] ? ['--allow-cloud'] : []),
    ...(flags['open-to-network'] ? ['--open-to-network'] : []),
    ...flags.origin.flatMap((origin) => ['--origin', origin]),
    ...(flags.workers > 1 ? ['--workers', `${flags.workers}`] : []),
    ...(flags.reconcile
      ? ['--reconcile', '--reconcile-every', flags['reconcile-every']].concat([
          '--reconcile-grace',
          flags['reconcile-grace'],
        ])
      : []),
    ...(flags.registry ? ['--registry'] : []),
    ...file('registry-cache'),
    ...(flags['registry-cache'] === undefined
      ? []
      : ['--registry-cache-size', flags['registry-cache-size']].concat([
          '--registry-upstream',
          flags['registry-upstream'],
        ])),
    ...['--log-level', flags['log-level']],
    ...['--drain-timeout', flags['drain-timeout']],
  ]
}
