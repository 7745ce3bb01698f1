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
    readonly home: string
  },
): string {
  const key = (name: string, value: string) => `  <key>${name}</key>\n  ${value}`
  const text = (value: string) => `<string>${escaped(value)}</string>`
  const system = layout.kind === 'system'
  // Ollama does not start without a home, and a daemon is not promised one.
  const env = Object.entries({HOME: service.home, ...serviceEnv(service)})
    .map(([name, value]) => `<key>${escaped(name)}</key>${text(value)}`)
    .join('')
  const log = `${layout.root}/ollama.log`
  // Without a login there is no window session: an agent that wants one could not be started by SSH.
  const sessions = ['Aqua', 'Background', 'LoginWindow', 'StandardIO', 'System'].map(text).join('')
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
    system
      ? key('UserName', text(service.user))
      : key('LimitLoadToSessionType', `<array>${sessions}</array>`),
    key('EnvironmentVariables', `<dict>${env}</dict>`),
    key('RunAtLoad', '<true/>'),
    key('KeepAlive', '<true/>'),
    // Seconds; launchd's own are 10.
    key('ThrottleInterval', '<integer>1</integer>'),
    // Any other type of job gets its CPU and disk throttled.
    key('ProcessType', text('Interactive')),
    key('StandardOutPath', text(log)),
    key('StandardErrorPath', text(log)),
    '</dict>',
    '</plist>',
    '',
  ].join('\n')
}

const escaped = (value: string) =>
  value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** `$scope` is --system or --user. An account that nobody is logged in to has no gui domain. */
const DOMAINS = `
case $scope in
  --system) domains=system ;;
  *) domains="gui/$(id -u) user/$(id -u)" ;;
esac
job() { launchctl print "$1/${LABEL}" 2>/dev/null; }
there() { job "$1" >/dev/null; }
unload() { # bootout may come back before the job is gone, and says then that it goes on
  for d in $domains; do
    there "$d" || continue
    launchctl bootout "$d/${LABEL}" 2>/dev/null || :
    n=0; while there "$d" && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done
    ! there "$d" || fail "launchd did not let go of ${LABEL}"
  done
}
all_jobs() { for d in $domains; do job "$d" || :; done; }
pid_of() { all_jobs | sed -n 's/^[[:space:]]*pid = //p' | head -n 1; }
`

/**
 * `$1` root, `$2` the plist, `$3` --system or --user, `$4` the account that the service runs as, which
 * must be able to write its log. Loads the service anew.
 */
export const START_LAUNCHD = script`scope=$3
${DOMAINS}
[ "$scope" != --system ] || { : >>"$1/ollama.log"; chown "$4" "$1/ollama.log"; }
unload
tries=0 said=
while [ $tries -lt 3 ]; do
  [ $tries = 0 ] || sleep 1
  tries=$((tries + 1))
  for d in $domains; do
    launchctl enable "$d/${LABEL}" 2>/dev/null || :
    if said=$(launchctl bootstrap "$d" "$2" 2>&1) || there "$d"; then rm -f "$1/.ollamax/pending"; exit 0; fi
  done
done
fail "launchctl could not load $2: $said"
`

/** `$1` the plist, `$2` --system or --user. */
export const TAKE_LAUNCHD = script`scope=$2
${DOMAINS}
unload
rm -f "$1" "$1.ollamax-new"
case $1 in /Library/*) ;; *) rmdir "@{1%/*}" 2>/dev/null || : ;; esac
`

/** `$1` --system or --user, `$2` root: what a person would look at first when nothing answers. */
export const WHY_DOWN_LAUNCHD = script`scope=$1
${DOMAINS}
set +e
all_jobs | grep -E 'state = |last exit code = |runs = ' | tr -s '[:space:]' ' '
echo
tail -n 15 "$2/ollama.log" 2>/dev/null
`

/**
 * `$1` --system or --user: kills the server as the kernel would, and waits until launchd has started it
 * again. Prints nothing; fails after 20 seconds.
 */
export const KILL_LAUNCHD = script`scope=$1
${DOMAINS}
old=$(pid_of)
[ -n "$old" ] || fail 'the service is not running'
kill -9 "$old"
n=0
while [ $n -lt 200 ]; do
  n=$((n + 1)); sleep 0.1
  new=$(pid_of)
  [ -z "$new" ] || [ "$new" = "$old" ] || exit 0
done
fail 'launchd did not start it again within 20 seconds'
`

/** `$1` --system or --user, `$2` the plist: prints `boot=1` if launchd starts it at boot. */
export const AT_BOOT_LAUNCHD = script`scope=$1
${DOMAINS}
[ "$scope" = --system ] && [ -f "$2" ] || exit 0
launchctl print-disabled system 2>/dev/null | grep -E '"${LABEL}" => (true|disabled)' >/dev/null || echo boot=1
`
