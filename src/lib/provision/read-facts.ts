import {isLoopback} from '../cluster/loopback.ts'
import {
  type Facts,
  type Gpu,
  type Installation,
  type InstalledBy,
  type Known,
  type Place,
  SUDO_KINDS,
  type Sudo,
  type Tree,
} from './facts.ts'

/** Wall time on our side when the script was sent and when its answer was whole, ms since the epoch. */
export interface Interval {
  readonly startMs: number
  readonly endMs: number
}

/**
 * Reads what FACTS_SCRIPT printed. A line that is missing becomes `unknown`; text that is no such
 * line is passed over. Returns undefined if the output is not whole.
 */
export function readFacts(output: string, when: Interval): Facts | undefined {
  const lines = readLines(output)
  const one = (key: string): string | undefined => lines.get(key)?.[0]
  if (one('end') !== '1' || one('os') === undefined) return undefined
  const os = one('os')
  const home = one('home') ?? '/'
  const system = readInstallation(lines, 'system')
  const own = readInstallation(lines, 'own')
  const binary = one('binary')
  const listener = readListener(lines.get('listener') ?? [])
  return {
    os: os === 'Linux' ? 'linux' : os === 'Darwin' ? 'darwin' : 'other',
    kernel: one('kernel') ?? 'unknown',
    arch: readArch(one('machine') ?? 'unknown'),
    hostname: one('hostname') ?? 'unknown',
    distribution: readDistribution(one('distribution')),
    libc: readLibc(one('libc')),
    init: readInit(one('systemd'), one('init')),
    user: one('user') ?? 'unknown',
    uid: number(one('uid')) ?? -1,
    home,
    sudo: readSudo(one('sudo')),
    gpus: one('gpus_seen') ? readGpus(lines) : 'unknown',
    memoryBytes: times(number(one('memory')), 1024),
    cpus: number(one('cpus')) ?? 'unknown',
    places: Object.fromEntries((lines.get('place') ?? []).map(readPlace)),
    tools: words(one('tools')),
    modelsPath:
      one('models') ?? (one('ollama_home') ? `${one('ollama_home')}/.ollama/models` : 'unknown'),
    ollama: {
      ...(binary === undefined ? {} : {binary, installedBy: readOrigin(lines, binary, home)}),
      version: readVersion(one('version')),
      containers: words(one('containers')),
    },
    port: number(one('port')) ?? 11434,
    ...(listener ? {listener} : {}),
    system,
    own,
    userManager: one('user_manager') === '1',
    linger: one('linger') === undefined ? 'unknown' : one('linger') === '1',
    mayLinger: one('linger') === '1' || one('may_linger') === '1',
    cron: one('cron') === '1',
    ollamaUser: one('ollama_home') !== undefined,
    ...(number(one('staged')) === undefined ? {} : {staged: number(one('staged')) ?? 0}),
    reachesReleases: one('reaches') === undefined ? 'unknown' : one('reaches') === '1',
    clock: readClock(one('clock'), when),
  }
}

/** Version of Ollama in what `ollama -v` prints; it names the client's own one only beside a server's. */
function readVersion(text: string | undefined): Known<string> {
  const found =
    /client version is v?([^\s]+)/.exec(text ?? '') ?? /version is v?([^\s]+)/.exec(text ?? '')
  return found?.[1] ?? 'unknown'
}

/** Splits `Environment=` as `systemctl show` prints it: words, quoted where they hold a space. */
export function readEnvironment(text: string): Record<string, string> {
  const env: Record<string, string> = {}
  for (const match of text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)) {
    const word = (match[1] ?? match[2] ?? '').replaceAll(/\\(.)/g, '$1')
    const at = word.indexOf('=')
    if (at > 0) env[word.slice(0, at)] = word.slice(at + 1)
  }
  return env
}

function readLines(output: string): Map<string, string[]> {
  const lines = new Map<string, string[]>()
  for (const line of output.split('\n')) {
    const match = /^([a-zA-Z_.]+)=(.*?)\r?$/.exec(line)
    if (!match?.[1]) continue
    const value = (match[2] ?? '').replaceAll(/\\(n|\\)/g, (_, c: string) => (c === 'n' ? '\n' : c))
    const before = lines.get(match[1])
    if (before) before.push(value)
    else lines.set(match[1], [value])
  }
  return lines
}

const words = (text: string | undefined) => (text ?? '').split(/\s+/).filter(Boolean)
const number = (text: string | undefined) =>
  text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : undefined
const times = (n: number | undefined, factor: number): Known<number> =>
  n === undefined ? 'unknown' : n * factor

function readArch(machine: string): string {
  if (machine === 'x86_64') return 'amd64'
  return machine === 'aarch64' ? 'arm64' : machine
}

function readDistribution(text: string | undefined): Facts['distribution'] {
  const [id, version, name] = (text ?? '').split('\t')
  return id ? {id, version: version || 'unknown', name: name || id} : 'unknown'
}

function readLibc(text: string | undefined): Facts['libc'] {
  const [kind, version] = words(text)
  if (kind !== 'glibc' && kind !== 'musl') return 'unknown'
  return {kind, version: version ?? 'unknown'}
}

function readInit(systemd: string | undefined, other: string | undefined): Facts['init'] {
  if (systemd !== undefined) {
    const [version, state] = systemd.split(' ')
    return {kind: 'systemd', version: number(version) ?? 'unknown', state: state || 'unknown'}
  }
  return other === 'launchd' ? {kind: 'launchd'} : {kind: 'other', name: other || 'unknown'}
}

function readSudo(text: string | undefined): Sudo {
  return SUDO_KINDS.find((sudo) => sudo === text) ?? 'unknown'
}

function readGpus(lines: ReadonlyMap<string, string[]>): Gpu[] {
  const gpus: Gpu[] = []
  const nvidia = lines.get('nvidia')?.[0]
  for (const row of nvidia && nvidia !== 'failed' ? nvidia.split('\n') : []) {
    const [name, mib, driver] = row.split(',').map((cell) => cell.trim())
    // A driver that has lost its card prints a sentence here, with exit code 0 on some versions.
    if (name && driver)
      gpus.push({vendor: 'nvidia', name, vramBytes: times(number(mib), 2 ** 20), driver})
  }
  if (gpus.length === 0)
    for (const _ of lines.get('pci_nvidia') ?? [])
      gpus.push({
        vendor: 'nvidia',
        name: 'NVIDIA GPU',
        vramBytes: 'unknown',
        driver: nvidia ? 'failed' : 'none',
      })
  for (const row of lines.get('amd') ?? []) {
    const [name, bytes, driver] = row.split('\t')
    gpus.push({
      vendor: 'amd',
      name: name || 'AMD GPU',
      vramBytes: number(bytes) ?? 'unknown',
      driver: driver || 'none',
    })
  }
  const apple = lines.get('apple')?.[0]
  if (apple) {
    // Its memory is the machine's own; how much of it the GPU may take, the system decides.
    gpus.push({vendor: 'apple', name: apple, vramBytes: 'unknown', driver: 'metal'})
  }
  return gpus
}

function readPlace(text: string): [string, Place] {
  const [name = '', free, options = 'unknown'] = text.split(' ')
  const flags = options.split(',')
  const flag = (yes: string) => (options === 'unknown' ? 'unknown' : flags.includes(yes))
  return [
    name,
    {freeBytes: times(number(free), 1024), readOnly: flag('ro'), noExec: flag('noexec')},
  ]
}

function readOrigin(
  lines: ReadonlyMap<string, string[]>,
  binary: string,
  home: string,
): InstalledBy {
  if (/\/(opt\/ollama|ollamax\/ollama)\/[^/]+\/bin\/ollama$/.test(binary)) return 'ollamax'
  if (lines.has('packaged')) return 'package'
  if (binary.startsWith(`${home}/`)) return 'user'
  return /^\/usr(\/local)?\/bin\/ollama$/.test(binary) ? 'script' : 'unknown'
}

/** `/proc/net/tcp` writes addresses as little-endian words in hexadecimal; macOS has them as they are. */
function readListener(rows: readonly string[]): Facts['listener'] {
  const found = rows.map((row) => {
    const [hex = '', user = 'unknown'] = row.split(' ')
    return {address: /^[0-9A-F]{8,}$/.test(hex) ? readAddress(hex) : hex, user}
  })
  // Several may listen; the one that is open to the network is what a reader must know of.
  return found.find((it) => !isLoopback(it.address)) ?? found[0]
}

function readAddress(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) =>
    (word.match(/../g) ?? []).reverse().map((byte) => Number.parseInt(byte, 16)),
  )
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.every((byte) => byte === 0)) return '::'
  if (bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return '::1'
  if (bytes.slice(0, 10).every((byte) => byte === 0)) return bytes.slice(12).join('.')
  return Buffer.from(bytes).toString('hex').match(/.{4}/g)?.join(':') ?? 'unknown'
}

function readInstallation(lines: ReadonlyMap<string, string[]>, prefix: string): Installation {
  const one = (key: string) => lines.get(`${prefix}.${key}`)?.[0]
  const text = (key: 'unitText' | 'dropInText' | 'supervisorText' | 'plistText') =>
    one(key) === undefined ? {} : {[key]: one(key)?.replace(/\.\n?$/, '')}
  const trees: Tree[] = (lines.get(`${prefix}.tree`) ?? []).map((row) => {
    const [name = '', sha256 = '', version = ''] = row.split(' ')
    return {name, sha256, version: version || 'unknown'}
  })
  const unit = readUnit(one('unit') ?? '')
  return {
    ...(unit ? {unit} : {}),
    ...text('unitText'),
    ...text('dropInText'),
    ...text('supervisorText'),
    ...text('plistText'),
    ...(one('current') === undefined ? {} : {current: one('current') ?? ''}),
    ...(one('previous') === undefined ? {} : {previous: one('previous') ?? ''}),
    pending: one('pending') === '1',
    trees,
    manifest: readPairs((one('manifest') ?? '').replace(/\.\n?$/, '')),
  }
}

function readPairs(text: string): Record<string, string> {
  const pairs: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const at = line.indexOf('=')
    // The first word counts: it tells how things were before we came.
    if (at > 0) pairs[line.slice(0, at)] ??= line.slice(at + 1)
  }
  return pairs
}

function readUnit(text: string): Installation['unit'] {
  const pairs = readPairs(text)
  if (!pairs.LoadState || pairs.LoadState === 'not-found' || !pairs.FragmentPath) return undefined
  return {
    path: pairs.FragmentPath,
    dropIns: words(pairs.DropInPaths),
    active: pairs.ActiveState === 'active',
    enabled: pairs.UnitFileState === 'enabled',
    mainPid: number(pairs.MainPID) ?? 0,
    user: pairs.User || 'root',
    execStart: /path=(\S+)/.exec(pairs.ExecStart ?? '')?.[1] ?? 'unknown',
    env: readEnvironment(pairs.Environment ?? ''),
    stale: pairs.NeedDaemonReload === 'yes',
  }
}

function readClock(nanos: string | undefined, when: Interval): Facts['clock'] {
  if (nanos === undefined || !/^\d+$/.test(nanos)) return 'unknown'
  const theirs = Number(BigInt(nanos) / 1_000_000n)
  const middle = (when.startMs + when.endMs) / 2
  return {
    skewMs: Math.round(theirs - middle),
    accuracyMs:
      Math.ceil((when.endMs - when.startMs) / 2) + (nanos.endsWith('000000000') ? 1000 : 0),
  }
}
