/**
 * How a host's Ollama is now, beside the facts about the host: one script, one round trip, nothing is
 * changed. `$1` who installed it. Prints `key=value` lines; what cannot be seen has no line.
 */
export const VITALS = String.raw`
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
exec </dev/null 2>/dev/null
have() { command -v "$1" >/dev/null; }
limit() { if have timeout; then timeout "$@"; else shift; "$@"; fi; }
install=$1 scope=
XDG_RUNTIME_DIR=@{XDG_RUNTIME_DIR:-/run/user/$(id -u)}; export XDG_RUNTIME_DIR
if have systemctl; then
  for s in --system --user; do
    [ "$s$install" != --systemuser ] || continue
    systemctl $s cat ollama.service >/dev/null && { scope=$s; break; }
  done
fi
if [ -n "$scope" ]; then
  echo "scope=$scope"
  systemctl $scope show ollama.service -p ActiveState -p SubState -p Result -p ExecMainStatus -p NRestarts -p KillMode -p NeedDaemonReload | sed 's/^/unit./'
  set -- -u; [ $scope = --system ] || set -- --user-unit
  journal=journalctl
  if [ $scope = --system ] && [ "$(id -u)" != 0 ] && ! id -nG | tr ' ' '\n' | grep -qxE 'adm|systemd-journal|wheel'; then
    journal=; sudo -n true && journal='sudo -n journalctl'
  fi
  if [ -n "$journal" ]; then
    echo journal_read=1
    limit 10 $journal -q "$1" ollama.service --since -1h -n 2000 -o cat --no-pager | grep -E 'level=ERROR|[Pp]anic|CUDA error|out of memory|cannot allocate|address already in use|No space left' | tail -n 5 | sed 's/^/journal=/'
    limit 10 $journal -q "$1" ollama.service -b -n 20000 -o cat --no-pager | grep 'inference compute' | tail -n 1 | sed 's/^/compute=/'
    [ $scope != --system ] || limit 10 $journal -q -k --since -24h -n 5000 -o cat --no-pager | grep -iE 'out of memory: killed process.*(ollama|llama)|NVRM: Xid' | tail -n 3 | sed 's/^/kernel=/'
  fi
else
  own=$HOME/.local/share/ollamax/ollama
  if [ -x "$own/supervise.sh" ]; then
    echo scope=supervised
    p=$(cat "$own/.ollamax/supervisor.pid") && kill -0 "$p" && tr '\0' ' ' <"/proc/$p/cmdline" | grep -q supervise.sh && echo supervisor=1
    if [ -r "$own/ollama.log" ]; then
      echo journal_read=1
      tail -n 500 "$own/ollama.log" | grep -E 'level=ERROR|[Pp]anic|CUDA error|out of memory|address already in use|No space left' | tail -n 5 | sed 's/^/journal=/'
      grep 'inference compute' "$own/ollama.log" | tail -n 1 | sed 's/^/compute=/'
    fi
  elif have launchctl; then
    u=$(id -u) l=dev.ollamax.ollama
    if said=$(launchctl print "system/$l" || launchctl print "gui/$u/$l" || launchctl print "user/$u/$l"); then
      state=$(printf '%s\n' "$said" | sed -n 's/^[[:space:]]*state = //p' | head -n 1)
      log=$(printf '%s\n' "$said" | sed -n 's/^[[:space:]]*stdout path = //p' | head -n 1)
      echo scope=launchd
      case $state in running) echo unit.ActiveState=active ;; *) echo unit.ActiveState=inactive ;; esac
      echo "unit.SubState=$state"
      if [ -r "$log" ]; then
        echo journal_read=1
        tail -n 500 "$log" | grep -E 'level=ERROR|[Pp]anic|out of memory|address already in use|No space left' | tail -n 5 | sed 's/^/journal=/'
        grep 'inference compute' "$log" | tail -n 1 | sed 's/^/compute=/'
      fi
    elif [ -e "/Library/LaunchDaemons/$l.plist" ] || [ -e "$HOME/Library/LaunchAgents/$l.plist" ]; then
      printf 'scope=launchd\nunit.ActiveState=inactive\nunit.SubState=unloaded\n'
    fi
  fi
fi
[ -r /proc/meminfo ] && sed -n 's/^MemAvailable: *\([0-9]*\) kB/available=\1/p' /proc/meminfo
for d in /proc/[0-9]*; do
  [ -r "$d/cmdline" ] || continue
  c=$(tr '\0' ' ' <"$d/cmdline")
  case $c in */llama-server\ *|llama-server\ *|*ollama\ runner\ *) ;; *) continue ;; esac
  parent=$(sed -n 's/^PPid:[^0-9]*//p' "$d/status")
  echo "runner=@{d##*/} $parent $(cat "/proc/$parent/comm") $(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "$d/status")"
done
echo end=1
`.replaceAll('@{', '${')

/**
 * Ends runners of Ollama whose server is gone. `$1`...: their process ids; each is looked at again, so
 * that another process that got the number meanwhile is left alone. Prints the ids that it ended.
 */
export const REAP = String.raw`
for p in "$@"; do
  c=$(tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null) || continue
  case $c in */llama-server\ *|llama-server\ *|*ollama\ runner\ *) ;; *) continue ;; esac
  parent=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$p/status")
  [ "$parent" = 1 ] || [ "$(cat "/proc/$parent/comm")" = systemd ] || continue
  kill -9 "$p" && echo "$p"
done
`
