/** Where an installation of ours lies on a host. */
export interface Layout {
  readonly kind: 'system' | 'user'
  /** Holds one directory per version, and the link `current`. */
  readonly root: string
  readonly unitDir: string
  /** Argument of systemctl that names the right manager. */
  readonly scope: '--system' | '--user'
}

/** The layout for the whole machine, or below one account's home directory. */
export function layoutFor(kind: 'system' | 'user', home: string): Layout {
  return kind === 'system'
    ? {kind, root: '/opt/ollama', unitDir: '/etc/systemd/system', scope: '--system'}
    : {
        kind,
        root: `${home}/.local/share/ollamax/ollama`,
        unitDir: `${home}/.config/systemd/user`,
        scope: '--user',
      }
}

/** Where an archive lies on the host until it is unpacked. */
export const stagingDir = (home: string) => `${home}/.cache/ollamax`

/** Stands in the first line of each file of ours, so that a person and a later run know it. */
export const MARK = '# Written by ollamax: changes made here are lost at its next run.'

/** How long systemd waits before it starts a server of ours again. Shorter, one that cannot start would keep it busy. */
export const RESTART_MS = 1000

/** The service, for a host that has none. Like the official one it restarts for ever. */
export function unitText(layout: Layout): string {
  const system = layout.kind === 'system'
  return [
    MARK,
    '[Unit]',
    'Description=Ollama (installed by ollamax)',
    ...(system ? ['After=network-online.target', 'Wants=network-online.target'] : []),
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    `ExecStart=${escaped(`${layout.root}/current/bin/ollama`)} serve`,
    ...(system ? ['User=ollama', 'Group=ollama'] : []),
    'Restart=always',
    `RestartSec=${RESTART_MS / 1000}`,
    '',
    '[Install]',
    `WantedBy=${system ? 'multi-user.target' : 'default.target'}`,
    '',
  ].join('\n')
}

export interface DropIn {
  readonly port: number
  readonly env: Readonly<Record<string, string>>
  /** Run the tree that is switched on instead of what the unit of someone else runs. */
  readonly program: boolean
}

/**
 * What we want of the service, whoever wrote it. control-group: a server that is killed leaves its
 * runners behind, holding the GPU's memory.
 */
export function dropInText(layout: Layout, dropIn: DropIn): string {
  const env = serviceEnv(dropIn)
  return [
    MARK,
    '# What comes later in the alphabet wins: put your own settings into a file like 90-local.conf.',
    '[Service]',
    ...(dropIn.program
      ? ['ExecStart=', `ExecStart=${escaped(`${layout.root}/current/bin/ollama`)} serve`]
      : []),
    ...Object.entries(env).map(([key, value]) => `Environment="${escaped(`${key}=${value}`)}"`),
    'KillMode=control-group',
    '',
  ].join('\n')
}

/** The variables that the service gets: loopback only, no cloud models, then what the user wants. */
export function serviceEnv(dropIn: Pick<DropIn, 'port' | 'env'>): Record<string, string> {
  return {OLLAMA_HOST: `127.0.0.1:${dropIn.port}`, OLLAMA_NO_CLOUD: '1', ...dropIn.env}
}

/** Keeps the service running where there is no systemd for the account; also started at boot by cron. */
export function supervisorText(layout: Layout, dropIn: Pick<DropIn, 'port' | 'env'>): string {
  const quoted = (value: string) => `'${value.replaceAll("'", "'\\''")}'`
  return [
    '#!/bin/sh',
    MARK,
    `root=${quoted(layout.root)}`,
    'for f in "$root/.ollamax/supervisor.pid"; do',
    '  [ -r "$f" ] && kill -0 "$(cat "$f")" 2>/dev/null && tr "\\0" " " <"/proc/$(cat "$f")/cmdline" | grep -q supervise.sh && exit 0',
    '  echo $$ >"$f"',
    'done',
    ...Object.entries(serviceEnv(dropIn)).map(
      ([key, value]) => `${key}=${quoted(value)}; export ${key}`,
    ),
    'child=',
    'trap \'trap - TERM; [ -z "$child" ] || kill "$child"; exit 0\' TERM INT',
    'while :; do',
    '  "$root/current/bin/ollama" serve >>"$root/ollama.log" 2>&1 </dev/null &',
    '  child=$!',
    '  wait "$child"',
    '  sleep 1',
    'done',
    '',
  ].join('\n')
}

/** In a unit file a percent sign starts a specifier, and backslash and quote have meaning in strings. */
function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')
}
