// The rooms of src/lib and who may import whom: the one table, for the check (.dependency-cruiser.js), the
// architecture test and docs/architecture.md alike. `errors.ts` may be imported by all and imports nothing.

/** Room -> rooms that it may import besides itself. Imports go down only. */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  cluster: [],
  http1: [],
  balancer: ['cluster'],
  simulator: ['cluster', 'balancer'],
  desired: ['cluster'],
  ssh: ['cluster'],
  ollama: ['cluster', 'http1'],
  auth: ['cluster'],
  // `auth`: the keys file holds Keys.
  state: ['cluster', 'auth'],
  engine: ['cluster'],
  metrics: ['cluster'],
  log: ['cluster'],
  trace: ['cluster'],
  discover: ['cluster'],
  inventory: ['cluster'],
  provision: ['cluster', 'ssh'],
  // `provision`: how a script becomes root, and the headers of tar.
  models: ['cluster', 'ssh', 'ollama', 'provision'],
  // `engine`: downloads that go on where they stopped. `state`: a lock between processes.
  registry: ['cluster', 'models', 'engine', 'state'],
  holder: ['cluster', 'ssh', 'ollama', 'state'],
  // Which lines of a batch are asked, how many at once, and what becomes of them.
  batch: ['cluster'],
  jobs: [
    'cluster',
    'balancer',
    'batch',
    'simulator',
    'desired',
    'auth',
    'ssh',
    'ollama',
    'state',
    'engine',
    'discover',
    'inventory',
    'provision',
    'models',
    'holder',
  ],
  // `trace`: the words in which an exchange is traced, nothing that runs.
  gateway: ['cluster', 'balancer', 'http1', 'ollama', 'auth', 'trace'],
  server: [
    'cluster',
    'balancer',
    'desired',
    'auth',
    'ollama',
    'state',
    'gateway',
    'registry',
    'metrics',
    'log',
    'trace',
    'jobs',
  ],
  tui: ['cluster'],
  // `desired`: the words for a plan.
  cli: ['cluster', 'desired', 'jobs', 'tui', 'state'],
  // `engine` and `holder`: the commands that their own processes run are doors to them and nothing else.
  commands: ['cluster', 'jobs', 'cli', 'engine', 'holder', 'server'],
}

/** Rooms that decide and do nothing else: no `node:` module, no timers. */
export const PURE: readonly string[] = [
  'cluster',
  'balancer',
  'simulator',
  'batch',
  'desired',
  'http1',
  'inventory',
]

/** Package -> the rooms that own it; nobody else imports it. */
export const OWNERS: Readonly<Record<string, readonly string[]>> = {
  ssh2: ['ssh'],
  'ssh-config': ['ssh'],
  undici: ['ollama'],
  yaml: ['state'],
  conf: ['state'],
  zod: ['state'],
  ajv: ['jobs'],
  ink: ['tui'],
  react: ['tui'],
  marked: ['tui'],
  'highlight.js': ['tui'],
  'string-width': ['tui'],
  '@inquirer/prompts': ['cli'],
  'cli-table3': ['cli'],
  '@oclif/core': ['cli', 'commands'],
  'node-llama-cpp': ['engine'],
  'multicast-dns': ['discover'],
  'prom-client': ['metrics'],
  pino: ['log'],
  '@opentelemetry/api': ['trace'],
  '@opentelemetry/core': ['trace'],
  '@opentelemetry/exporter-trace-otlp-http': ['trace'],
  '@opentelemetry/resources': ['trace'],
  '@opentelemetry/sdk-trace': ['trace'],
}

/** Where a room lies. */
export function pathOf(room: string): string {
  return room === 'commands' ? 'src/commands' : `src/lib/${room}`
}
