import type {KnownKind} from '../../jobs/known-values.ts'
import type {ManifestArg, ManifestFlag} from './manifest.ts'

/** Where the values of a flag or argument come from; `free`: only its user can know. */
export type Source = KnownKind | 'files' | 'free'

/** Flag -> source, the same on all commands, unless `command --flag` is in the second table. */
const FLAGS: Readonly<Record<string, Source>> = {
  artifact: 'files',
  'artifact-sha256': 'free',
  as: 'models',
  ca: 'files',
  canary: 'nodes',
  capability: 'capabilities',
  cluster: 'clusters',
  concurrency: 'free',
  config: 'files',
  dimensions: 'free',
  'drain-timeout': 'free',
  env: 'free',
  expires: 'free',
  family: 'free',
  file: 'files',
  format: 'json-or-file',
  from: 'nodes',
  gguf: 'files',
  header: 'free',
  host: 'free',
  'host-key': 'free',
  image: 'files',
  interface: 'addresses',
  interval: 'free',
  'keep-alive': 'free',
  label: 'selectors',
  limit: 'free',
  lines: 'free',
  'line-timeout': 'free',
  listen: 'free',
  'max-hosts': 'free',
  'max-size': 'free',
  message: 'free',
  'min-pace': 'free',
  'min-size': 'free',
  model: 'models',
  'most-at-once': 'free',
  name: 'free',
  node: 'nodes',
  nodes: 'nodes',
  'num-ctx': 'free',
  'num-predict': 'free',
  'ollama-port': 'free',
  'ollama-version': 'versions',
  'older-than': 'free',
  option: 'options',
  origin: 'free',
  output: 'files',
  patience: 'free',
  pause: 'free',
  policy: 'policies',
  port: 'free',
  prompt: 'free',
  range: 'free',
  rate: 'free',
  'reconcile-every': 'free',
  'reconcile-grace': 'free',
  replicas: 'free',
  retries: 'free',
  rounds: 'free',
  seed: 'free',
  sha256: 'free',
  since: 'free',
  sizes: 'free',
  'ssh-key': 'files',
  'ssh-port': 'free',
  suffix: 'free',
  system: 'free',
  target: 'hosts',
  template: 'free',
  timeout: 'free',
  'tls-cert': 'files',
  'tls-key': 'files',
  to: 'nodes',
  url: 'free',
  user: 'free',
  version: 'versions',
  waves: 'free',
  weight: 'free',
  workers: 'free',
}

/** Argument -> source, likewise. */
const ARGS: Readonly<Record<string, Source>> = {
  alias: 'aliases',
  changes: 'label-changes',
  file: 'files',
  input: 'files',
  key: 'keys',
  model: 'models',
  name: 'clusters',
  node: 'nodes',
  nodes: 'nodes',
  prompt: 'free',
  recording: 'files',
  target: 'hosts',
  text: 'free',
  to: 'free',
  value: 'setting-values',
}

const EXCEPTIONS: Readonly<Record<string, Source>> = {
  'cluster:create name': 'free',
  'config:get key': 'settings',
  'config:set key': 'settings',
  'key:create name': 'free',
  'node:add --label': 'labels',
  'node:import --label': 'labels',
  'node:remove name': 'nodes',
}

/** Undefined for one that stands in no table: a test says so before anybody misses it. */
export function flagSource(command: string, flag: ManifestFlag): Source | undefined {
  return EXCEPTIONS[`${command} --${flag.name}`] ?? FLAGS[flag.name]
}

/** As `flagSource`, of an argument. */
export function argSource(command: string, arg: ManifestArg): Source | undefined {
  return EXCEPTIONS[`${command} ${arg.name}`] ?? ARGS[arg.name]
}
