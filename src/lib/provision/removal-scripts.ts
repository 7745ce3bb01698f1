import {script} from './scripts.ts'

/** `$1` --system or --user, `$2` directory of units: stops a service that is ours and takes it away. */
export const TAKE_SERVICE = script`
[ "$1" != --user ] || user_bus
systemctl $1 disable -q --now ollama.service 2>/dev/null || :
rm -f "$2/ollama.service" "$2/ollama.service.d/50-ollamax.conf"
rmdir "$2/ollama.service.d" 2>/dev/null || :
[ "$1" != --user ] || rmdir "$2/default.target.wants" "$2" "@{2%/*}" "@{2%/*/*}" 2>/dev/null || :
systemctl $1 daemon-reload
systemctl $1 reset-failed ollama.service 2>/dev/null || :
`

/** `$1` --system or --user, `$2` directory of units, `$3` what is-enabled said before us: others' service as it was. */
export const RESTORE_SERVICE = script`
[ "$1" != --user ] || user_bus
rm -f "$2/ollama.service.d/50-ollamax.conf"
rmdir "$2/ollama.service.d" 2>/dev/null || :
systemctl $1 daemon-reload
[ "$3" != disabled ] || systemctl $1 disable -q ollama.service
systemctl $1 try-restart ollama.service
`

/** `$1` root: ends the supervisor, and its line in the crontab. */
export const TAKE_SUPERVISOR = script`
pid=$(cat "$1/.ollamax/supervisor.pid" 2>/dev/null || :)
if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q supervise.sh; then
  kill "$pid"
  n=0; while kill -0 "$pid" 2>/dev/null && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done
fi
if have crontab && lines=$(crontab -l 2>/dev/null) && printf '%s\n' "$lines" | grep -qF "$1/supervise.sh"; then
  left=$(printf '%s\n' "$lines" | grep -vF "$1/supervise.sh" || :)
  if [ -n "$left" ]; then printf '%s\n' "$left" | crontab -; else crontab -r; fi
fi
`

/** Others may count on it, so only where we let the account linger. */
export const STOP_LINGER = script`
[ ! -e "/var/lib/systemd/linger/$(id -un)" ] || loginctl disable-linger
`

/** `$1` root, `$2` link that we made, or empty. */
export const TAKE_PROGRAMS = script`
[ -z "$2" ] || [ "$(readlink "$2" || :)" != "$1/current/bin/ollama" ] || rm -f "$2"
for t in "$1"/*/.ollamax-sha256; do
  [ ! -e "$t" ] || [ -L "@{t%/*}" ] || rm -rf "@{t%/*}"
done
rm -rf "$1"/.unpack-* "$1/.current-new" "$1/supervise.sh" "$1/ollama.log"
[ ! -L "$1/current" ] || rm -f "$1/current"
`

/** `$1` 1: with its home directory, models and all. */
export const TAKE_USER = script`
id ollama >/dev/null 2>&1 || exit 0
if have userdel; then
  userdel ollama || [ $? = 6 ]
  ! grep -q '^ollama:' /etc/group || groupdel ollama
else
  deluser ollama
fi
[ "$1" != 1 ] || rm -rf /usr/share/ollama
`

/** `$1` root, `$2` staging directory: the last trace; after it nothing is known of us there. */
export const FORGET = script`
rm -rf "$1/.ollamax"
[ -z "$2" ] || { rm -rf "$2"; rmdir "@{2%/*}" 2>/dev/null || :; }
[ ! -d "$1" ] || rmdir "$1" 2>/dev/null || :
case $1 in */ollamax/ollama) rmdir "@{1%/*}" "@{1%/*/*}" "@{1%/*/*/*}" 2>/dev/null || : ;; esac
`

/** `$1` staging directory. */
export const TAKE_STAGING = script`
rm -rf "$1"
rmdir "@{1%/*}" 2>/dev/null || :
`
