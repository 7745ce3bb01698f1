/**
 * Scripts that find the service that keeps Ollama running and work on it, whoever set it up: a systemd
 * unit of the machine or of the account, our supervisor, a launchd agent. Constant; values are `$1`...
 * Each says on stdout, first of all, which one it found: `keeper=...`.
 */
const FIND = String.raw`
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
have() { command -v "$1" >/dev/null 2>&1; }
fail() { printf '%s\n' "$*" >&2; exit 1; }
may_sudo() {
  have sudo || exit 77
  said=$(sudo -n true 2>&1 </dev/null) || case $said in *'have a tty'*) exit 76 ;; *) exit 77 ;; esac
}
home=@{HOME:-/}
own=$home/.local/share/ollamax/ollama
user_bus() { XDG_RUNTIME_DIR=@{XDG_RUNTIME_DIR:-/run/user/$(id -u)}; export XDG_RUNTIME_DIR; }
has_unit() { have systemctl && systemctl "$1" cat ollama.service >/dev/null 2>&1; }
# Sets domain, label and plist: of a job that is loaded, else of one of ours that was stopped.
launchd_job() {
  u=$(id -u)
  for domain in system "gui/$u" "user/$u"; do
    [ "$install$domain" != usersystem ] || continue
    case $domain in system) dir=/Library/LaunchDaemons ;; *) dir=$home/Library/LaunchAgents ;; esac
    for label in dev.ollamax.ollama homebrew.mxcl.ollama; do
      plist=$dir/$label.plist
      ! loaded || return 0
    done
  done
  label=dev.ollamax.ollama domain=system
  plist=/Library/LaunchDaemons/$label.plist
  [ "$install" = user ] || [ ! -f "$plist" ] || return 0
  plist=$home/Library/LaunchAgents/$label.plist
  domain=gui/$u
  launchctl print "$domain" >/dev/null 2>&1 || domain=user/$u
  [ -f "$plist" ]
}
loaded() { launchctl print "$domain/$label" >/dev/null 2>&1; }
supervisor() {
  p=$(cat "$own/.ollamax/supervisor.pid" 2>/dev/null) && kill -0 "$p" 2>/dev/null &&
    tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | grep -q supervise.sh && printf '%s' "$p"
}
user_bus
keeper=none
if [ "$install" != user ] && has_unit --system; then keeper=system
elif has_unit --user; then keeper=user
elif [ -x "$own/supervise.sh" ]; then keeper=supervised
elif has_unit --system; then keeper=system
elif have launchctl && launchd_job; then keeper=launchd
fi
printf 'keeper=%s\n' "$keeper"
`

/** `@{` stands for the shell's `${`, which a template literal would take for its own. */
const script = (begin: string, body: string) => (begin + FIND + body).replaceAll('@{', '${')

/**
 * `$1` `start`, `stop` or `restart`; `$2` who installed it (`system`, `user`, `external` or empty).
 * Exit code 77: root is needed, and sudo does not give it without a password; 76: not without a terminal;
 * 78: no service was found.
 */
export const CONTROL = script(
  'action=$1 install=$2\n',
  String.raw`
stop_supervisor() {
  p=$(supervisor) || return 0
  kill "$p"
  n=0; while kill -0 "$p" 2>/dev/null && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done
  ! kill -0 "$p" 2>/dev/null || fail 'the supervisor did not end within 10 seconds'
  rm -f "$own/.ollamax/supervisor.pid"
}
start_supervisor() {
  ! supervisor >/dev/null || return 0
  if have setsid; then setsid "$own/supervise.sh" >/dev/null 2>&1 </dev/null &
  else nohup "$own/supervise.sh" >/dev/null 2>&1 </dev/null & fi
}
unload() { # bootout may come back before the job is gone, and says then that it goes on
  loaded || return 0
  said=$($as launchctl bootout "$domain/$label" 2>&1) || :
  n=0; while loaded && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done
  ! loaded || fail "launchd did not let go of $label: $said"
}
load() {
  $as launchctl enable "$domain/$label" 2>/dev/null || :
  said=$($as launchctl bootstrap "$domain" "$plist" 2>&1) || loaded || fail "launchctl could not load $plist: $said"
}
case $keeper in
  system)
    if [ "$(id -u)" = 0 ]; then exec systemctl "$action" ollama.service; fi
    may_sudo
    exec sudo -n systemctl "$action" ollama.service ;;
  user) exec systemctl --user "$action" ollama.service ;;
  supervised)
    [ "$action" = start ] || stop_supervisor
    [ "$action" = stop ] || start_supervisor ;;
  launchd)
    as=
    if [ "$domain" = system ] && [ "$(id -u)" != 0 ]; then
      may_sudo
      as='sudo -n'
    fi
    case $action in
      stop) unload ;;
      start) if loaded; then $as launchctl kickstart "$domain/$label"; else load; fi ;;
      restart) if loaded; then $as launchctl kickstart -k "$domain/$label"; else load; fi ;;
    esac ;;
  *) exit 78 ;;
esac
`,
)

/**
 * `$1` who installed it, `$2` number of lines, `$3` since when (as journalctl takes it, or empty),
 * `$4` 1: follow. The log comes after the line of FIND. With `$4` it ends when standard input does:
 * sshd closes that with the channel, while a `tail` that prints nothing would never notice. Exit code 77: the
 * journal may not be read; 76: not without a terminal for sudo; 78: no service was found; 79: this log
 * knows no times.
 */
export const LOGS = script(
  'install=$1 lines=$2 since=$3 follow=$4\n',
  String.raw`
show() {
  if [ "$follow" = 1 ]; then
    "$@" & p=$!
    trap 'kill $p 2>/dev/null' EXIT
    cat >/dev/null
  else "$@"; fi
}
journal() {
  set -- "$@" -n "$lines" -o short-iso --no-pager
  [ -z "$since" ] || set -- "$@" --since "$since"
  [ "$follow" != 1 ] || set -- "$@" -f
  show "$@"
}
file() {
  [ -z "$since" ] || exit 79
  [ -r "$1" ] || fail "there is no log yet: $1"
  if [ "$follow" = 1 ]; then show tail -n "$lines" -F "$1"; else tail -n "$lines" "$1"; fi
}
case $keeper in
  system)
    if [ "$(id -u)" = 0 ] || id -nG | tr ' ' '\n' | grep -qxE 'adm|systemd-journal|wheel'; then journal journalctl -q -u ollama.service
    else
      may_sudo
      journal sudo -n journalctl -q -u ollama.service
    fi ;;
  user) journal journalctl -q --user-unit ollama.service ;;
  supervised) file "$own/ollama.log" ;;
  launchd)
    f=$(sed -n '/<key>StandardOutPath</{n;s/.*<string>\(.*\)<.string>.*/\1/p;}' "$plist" 2>/dev/null) || :
    [ -n "$f" ] || for f in /opt/homebrew/var/log/ollama.log /usr/local/var/log/ollama.log "$home/.ollama/logs/server.log"; do
      [ ! -r "$f" ] || break
    done
    file "$f" ;;
  *) exit 78 ;;
esac
`,
)
