/** The gateway as a service of systemd. */
export interface UnitSpec {
  /** `system`: of the machine, as `user`; `user`: of the account, by its own systemd. */
  readonly scope: 'system' | 'user'
  readonly cluster: string
  /** The program and its words. The first one is an absolute path. */
  readonly command: readonly string[]
  /** The account that it runs as; only of `system`. */
  readonly user?: string | undefined
  /** Never a secret: everybody on the machine can read a unit. */
  readonly env: Readonly<Record<string, string>>
  /** A file with more of the environment, for secrets; it need not exist. */
  readonly envFile: string
  /** For running requests to end. */
  readonly drainMs: number
  readonly port: number
}

export const UNIT_NAME = 'ollamax.service'
/** Our own files begin so; others are left alone. */
export const UNIT_MARK = '# Written by "ollamax serve --install", and by nobody else.'

/** What systemd can take away from every service. */
const HARDENING = [
  'NoNewPrivileges=yes',
  'RestrictSUIDSGID=yes',
  'RestrictRealtime=yes',
  'LockPersonality=yes',
  'UMask=0077',
]
/** What it can take away from those of the machine only: an account may not make mounts of its own. */
const SYSTEM_HARDENING = [
  'ProtectSystem=full',
  'PrivateTmp=yes',
  'PrivateDevices=yes',
  'ProtectClock=yes',
  'ProtectControlGroups=yes',
  'ProtectHostname=yes',
  'ProtectKernelLogs=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelTunables=yes',
]
/** After the gateway's own deadline, before systemd kills it. */
const GRACE_S = 10

/** The unit's text, the same for the same spec. The values must hold no control characters, see `unitProblem`. */
export function unitText(spec: UnitSpec): string {
  const system = spec.scope === 'system'
  const lines = [
    UNIT_MARK,
    '[Unit]',
    `Description=ollamax gateway of the cluster ${spec.cluster}`,
    ...(system ? ['Wants=network-online.target', 'After=network-online.target'] : []),
    '',
    '[Service]',
    'Type=exec',
    ...(system && spec.user !== undefined ? [`User=${spec.user}`] : []),
    ...Object.entries(spec.env).map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`),
    `EnvironmentFile=-${percents(spec.envFile)}`,
    `ExecStart=${execLine(spec.command)}`,
    'Restart=on-failure',
    'RestartSec=2',
    `TimeoutStopSec=${Math.ceil(spec.drainMs / 1000) + GRACE_S}`,
    'LimitNOFILE=65536',
    ...HARDENING,
    ...(system ? [...SYSTEM_HARDENING, ...capabilities(spec.port)] : []),
    '',
    '[Install]',
    `WantedBy=${system ? 'multi-user.target' : 'default.target'}`,
    '',
  ]
  return lines.join('\n')
}

/** Why such values cannot stand in a unit; undefined: they can. */
export function unitProblem(spec: UnitSpec): string | undefined {
  const {command, env, envFile, user} = spec
  const [program = ''] = command
  // systemd takes whatever stands behind the dash for a path, and would not unquote it.
  if (/^\s|\s$/.test(envFile)) return `${JSON.stringify(envFile)} begins or ends with a space`
  if (!program.startsWith('/')) return `${JSON.stringify(program)} is no absolute path`
  if (/["'\\]/.test(program))
    return `systemd runs no program with quotes or backslashes in its path: ${program}`
  if (user !== undefined && !/^[A-Za-z_][\w.-]{0,31}$/.test(user))
    return `${JSON.stringify(user)} cannot be the name of an account`
  const texts = [...command, ...Object.entries(env).flat(), envFile]
  const bad = texts.find((text) => /\p{Cc}/u.test(text))
  if (bad !== undefined) return `${JSON.stringify(bad)} has a control character in it`
  return undefined
}

/** None at all, but for the ports that only root may listen on. */
function capabilities(port: number): readonly string[] {
  if (port >= 1024) return ['CapabilityBoundingSet=']
  return ['AmbientCapabilities=', 'CapabilityBoundingSet='].map(
    (setting) => `${setting}CAP_NET_BIND_SERVICE`,
  )
}

/** Of a program's path systemd expands no variables, of its other words it does. */
function execLine([program = '', ...words]: readonly string[]): string {
  return [quoted(program), ...words.map((word) => quoted(word).replaceAll('$', '$$$$'))].join(' ')
}

/** As one word, taken as it is: `%` begins a specifier, `"` ends the word, a backslash begins an escape. */
function quoted(text: string): string {
  const escaped = percents(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"')
  return /^[\w@:,./=+-]+$/.test(escaped) ? escaped : `"${escaped}"`
}

const percents = (text: string) => text.replaceAll('%', '%%')
