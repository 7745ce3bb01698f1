import type {Layout} from './layout.ts'
import {serviceEnv} from './layout.ts'
import {script} from './scripts.ts'

const LABEL = 'dev.ollamax.ollama'

/** Where launchd looks for the service: at boot for the machine, at login for the account. */
export function plistPath(layout: Layout, home: string): string {
  return layout.kind === 'system'
    ? `/Library/LaunchDaemons/${LABEL}.plist`
    : `${home}/Library/LaunchAgents/${LABEL}.plist`
}

/** The service for launchd. It runs as `user`, whose models it serves: macOS has no user ollama. */
export function plistText(
  layout: Layout,
  service: {
    readonly port: number
    readonly env: Readonly<Record<string, string>>
    readonly user: string
  },
): string {
  const key = (name: string, value: string) => `  <key>${name}</key>\n  ${value}`
  const text = (value: string) => `<string>${escaped(value)}</string>`
  const env = Object.entries(serviceEnv(service))
    .map(([name, value]) => `<key>${escaped(name)}</key>${text(value)}`)
    .join('')
  const log = layout.kind === 'system' ? '/var/log/ollama.log' : `${layout.root}/ollama.log`
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!-- Written by ollamax: changes made here are lost at its next run. -->',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    '<dict>',
    key('Label', text(LABEL)),
    key(
      'ProgramArguments',
      `<array>${text(`${layout.root}/current/bin/ollama`)}${text('serve')}</array>`,
    ),
    ...(layout.kind === 'system' ? [key('UserName', text(service.user))] : []),
    key('EnvironmentVariables', `<dict>${env}</dict>`),
    key('RunAtLoad', '<true/>'),
    key('KeepAlive', '<true/>'),
    key('StandardOutPath', text(log)),
    key('StandardErrorPath', text(log)),
    '</dict>',
    '</plist>',
    '',
  ].join('\n')
}

const escaped = (value: string) =>
  value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/**
 * `$1` root, `$2` the plist, `$3` --system or --user. An account that nobody is logged in to has no gui
 * domain, so its background one is tried too.
 */
export const START_LAUNCHD = script`
case $3 in
  --system) domains=system ;;
  *) domains="gui/$(id -u) user/$(id -u)" ;;
esac
for d in $domains; do launchctl bootout "$d/${LABEL}" 2>/dev/null || :; done
for d in $domains; do
  if said=$(launchctl bootstrap "$d" "$2" 2>&1); then rm -f "$1/.ollamax/pending"; exit 0; fi
done
fail "launchctl could not load $2: $said"
`

/** `$1` the plist, `$2` --system or --user. */
export const TAKE_LAUNCHD = script`
case $2 in
  --system) domains=system ;;
  *) domains="gui/$(id -u) user/$(id -u)" ;;
esac
for d in $domains; do launchctl bootout "$d/${LABEL}" 2>/dev/null || :; done
rm -f "$1"
`
