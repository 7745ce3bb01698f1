/**
 * Looks at a host without changing it, in one round trip. `$1` port wanted, `$2` name of an archive
 * that may be staged, `$3` URL to try, or empty. Prints `key=value` lines; a newline in a value is
 * written as `\n` and a backslash as `\\`. POSIX sh and what every Linux, BusyBox or macOS has; what is
 * missing leaves its line out, and the reader says `unknown`. Nothing in it may wait long: what could
 * hang (a driver, a name service) runs under `limit`. Each program started costs a busy host more than all
 * that the shell does itself, so one is asked for several things, and the shell reads small files alone.
 */
export const FACTS_SCRIPT = String.raw`
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
exec </dev/null 2>/dev/null
want_port=$1 staged=$2 url=$3
nl='
'
put() {
  left=$2
  printf '%s=' "$1"
  case $left in *\\*) left=$(printf '%s' "$left" | sed 's/\\/\\\\/g') ;; esac
  while :; do
    case $left in *"$nl"*) printf '%s\\n' "\${left%%"$nl"*}"; left=\${left#*"$nl"} ;; *) break ;; esac
  done
  printf '%s\n' "$left"
}
have() { command -v "$1" >/dev/null; }
limit() { if have timeout; then timeout "$@"; else shift; "$@"; fi; }

now=$(date +%s%N)
case $now in *[!0-9]*|'') now=$(date +%s)000000000 ;; esac
put clock "$now"
system=$(uname -s)
put os "$system"
put kernel "$(uname -r)"
put machine "$(uname -m)"
put hostname "$(uname -n)"
for f in /etc/os-release /usr/lib/os-release; do
  [ -r "$f" ] || continue
  put distribution "$(. "$f"; printf '%s\t%s\t%s' "$ID" "$VERSION_ID" "$PRETTY_NAME")"
  break
done
[ "$system" = Darwin ] && put distribution "$(printf 'macos\t%s\tmacOS %s' "$(sw_vers -productVersion)" "$(sw_vers -productVersion)")"
if have getconf && libc=$(getconf GNU_LIBC_VERSION) && [ -n "$libc" ]; then put libc "$libc"
else for f in /lib/ld-musl-*; do [ -e "$f" ] && put libc "musl $("$f" 2>&1 | sed -n 's/^Version //p')"; done
fi

put user "$(id -un)"
uid=$(id -u)
put uid "$uid"
put home "$HOME"
if [ "$uid" = 0 ]; then put sudo root
elif ! have sudo; then put sudo absent
elif said=$(sudo -n -- /bin/sh -c : 2>&1); then put sudo passwordless
else case $(sudo -n -v 2>&1)$said in # Only -v tells who may not use it at all from who has to give a password.
    *'must have a tty'*) put sudo requiretty ;;
    *'may not run'*|*'not in the sudoers'*|*'not allowed'*) put sudo denied ;;
    *'password is required'*) put sudo password ;;
    *) put sudo "? $said" ;;
  esac
fi

if [ -d /run/systemd/system ]; then
  version= state=
  while IFS='=' read -r key value; do
    case $key in Version) version=\${value#"\${value%%[0-9]*}"} ;; SystemState) state=$value ;; esac
  done <<MANAGER
$(systemctl show -p Version -p SystemState)
MANAGER
  put systemd "\${version%%[!0-9]*} $state"
elif [ "$system" = Darwin ]; then put init launchd
else put init "$(ps -o comm= -p 1 || cat /proc/1/comm)"
fi

if [ -r /proc/meminfo ]; then
  while read -r key value _; do [ "$key" = MemTotal: ] && put memory "$value" && break; done </proc/meminfo
elif have sysctl; then put memory $(($(sysctl -n hw.memsize) / 1024))
fi
put cpus "$(getconf _NPROCESSORS_ONLN)"

put gpus_seen 1
if have nvidia-smi; then
  put nvidia "$(limit 10 nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader,nounits || echo failed)"
fi
for d in /sys/bus/pci/devices/*; do
  [ -r "$d/class" ] && read -r class <"$d/class" || { put pci none; break; }
  case $class in 0x03*) ;; *) continue ;; esac
  read -r vendor <"$d/vendor"
  case $vendor in
    0x10de) put pci_nvidia "\${d##*/}" ;;
    0x1002) put amd "$(cat "$d/product_name" || echo AMD GPU)$(printf '\t')$(cat "$d/mem_info_vram_total")$(printf '\t')$([ -d /sys/module/amdgpu ] && { cat /sys/module/amdgpu/version || uname -r; })" ;;
  esac
done
[ "$system" = Darwin ] && [ "$(uname -m)" = arm64 ] && put apple "$(sysctl -n machdep.cpu.brand_string)"

tools=
for t in curl wget tar gzip zstd sha256sum shasum openssl systemctl loginctl useradd adduser crontab docker ss setsid awk timeout; do
  have $t && tools="$tools $t"
done
put tools "$tools"

unit_facts='ollama.service -p LoadState -p FragmentPath -p DropInPaths -p ActiveState -p UnitFileState -p MainPID -p User -p ExecStart -p Environment -p NeedDaemonReload'
# The dot keeps the newlines at the end, which the shell would cut off.
text() { [ -r "$2" ] && put "$1" "$(cat "$2"; echo .)"; }
installation() { # $1 prefix, $2 root of our trees, $3 directory of units
  text "$1.unitText" "$3/ollama.service"
  text "$1.dropInText" "$3/ollama.service.d/50-ollamax.conf"
  text "$1.supervisorText" "$2/supervise.sh"
  text "$1.plistText" "$4"
  text "$1.manifest" "$2/.ollamax/manifest"
  [ -e "$2/.ollamax/pending" ] && put "$1.pending" 1
  [ -L "$2/current" ] && put "$1.current" "$(readlink "$2/current")"
  [ -r "$2/.ollamax/previous" ] && put "$1.previous" "$(cat "$2/.ollamax/previous")"
  for t in "$2"/*/.ollamax-sha256; do
    [ -r "$t" ] && [ ! -L "\${t%/*}" ] || continue
    d=\${t%/*}; put "$1.tree" "\${d##*/} $(cat "$t") $(cat "$d/.ollamax-version")"
  done
}
mine=$HOME/.local/share/ollamax/ollama
unit=
have systemctl && [ -d /run/systemd/system ] && unit=$(systemctl --system show $unit_facts) && put system.unit "$unit"
daemon=/Library/LaunchDaemons/dev.ollamax.ollama.plist
agent=$HOME/Library/LaunchAgents/dev.ollamax.ollama.plist
installation system /opt/ollama /etc/systemd/system "$daemon"
installation own "$mine" "$HOME/.config/systemd/user" "$agent"
own_unit=
if [ -d /run/systemd/system ]; then
  XDG_RUNTIME_DIR=\${XDG_RUNTIME_DIR:-/run/user/$uid}; export XDG_RUNTIME_DIR
  if own_unit=$(limit 5 systemctl --user show $unit_facts); then put user_manager 1; put own.unit "$own_unit"; fi
  if [ -d /var/lib/systemd ]; then
    if [ -e "/var/lib/systemd/linger/$(id -un)" ]; then put linger 1; else put linger 0; fi
    have pkcheck && limit 5 pkcheck --action-id org.freedesktop.login1.set-self-linger --process $$ >/dev/null && put may_linger 1
  fi
fi
for p in /run/crond.pid /var/run/crond.pid /run/crond.reboot /run/cron.pid; do [ -e $p ] && have crontab && { put cron 1; break; }; done

port= models=
case "$unit$own_unit" in *OLLAMA_*)
  port=$(printf '%s\n%s\n' "$unit" "$own_unit" | sed -n 's/^Environment=.*OLLAMA_HOST=[^" ]*:\([0-9][0-9]*\).*/\1/p' | head -n 1)
  models=$(printf '%s\n%s\n' "$unit" "$own_unit" | sed -n 's/^Environment=.*OLLAMA_MODELS=\([^" ]*\).*/\1/p' | head -n 1)
esac
[ "$system" != Darwin ] || [ -n "$port" ] || port=$(cat "$daemon" "$agent" | sed -n 's/.*<key>OLLAMA_HOST<.key><string>[^<]*:\([0-9][0-9]*\)<.*/\1/p' | head -n 1)
: "\${port:=\${want_port:-11434}}"
[ -z "$want_port" ] || port=$want_port
put port "$port"
hex=$(printf '%04X' "$port")
sed -n "s/^ *[0-9]*: \([0-9A-F]*\):$hex [0-9A-F]*:0000 0A [^ ]* [^ ]* [^ ]* *\([0-9]*\) .*/\1 \2/p" /proc/net/tcp /proc/net/tcp6 | while read -r a u; do
  n=$(sed -n "s/^\([^:]*\):[^:]*:$u:.*/\1/p" /etc/passwd | head -n 1)
  put listener "$a \${n:-$u}"
done
if [ "$system" = Darwin ]; then # Of others' programs the address can be seen, and not the account.
  n=$(lsof -nP -iTCP:"$port" -sTCP:LISTEN -FL | sed -n 's/^L//p' | head -n 1)
  for a in $(netstat -an -p tcp | sed -n "s/^tcp.* \([^ ]*\)[.]$port  *[^ ]*  *LISTEN.*/\1/p" | sed 's/^[*]$/::/'); do
    put listener "$a \${n:-unknown}"
  done
fi

bin=$(command -v ollama)
[ -n "$bin" ] || for f in /usr/local/bin/ollama /usr/bin/ollama /opt/ollama/current/bin/ollama "$mine/current/bin/ollama" /opt/homebrew/bin/ollama /Applications/Ollama.app/Contents/Resources/ollama; do [ -x "$f" ] && { bin=$f; break; }; done
if [ -n "$bin" ]; then
  real=$(readlink -f "$bin" || echo "$bin")
  put binary "$real"
  put version "$(OLLAMA_HOST=127.0.0.1:1 limit 5 "$real" -v 2>&1)"
  if have dpkg && dpkg -S "$real" >/dev/null || have rpm && rpm -qf "$real" >/dev/null || have pacman && pacman -Qo "$real" >/dev/null || case $real in */Cellar/*|*/Ollama.app/*) true ;; *) false ;; esac
  then put packaged 1; fi
fi
have docker && put containers "$(limit 5 docker ps --format '{{.Image}} {{.Names}}' | sed -n 's/^[^ ]*ollama[^ ]* //p' | tr '\n' ' ')"
ohome=$(sed -n 's/^ollama:.*:\([^:]*\):[^:]*$/\1/p' /etc/passwd)
[ -n "$ohome" ] && put ollama_home "$ohome"

[ -n "$models" ] && put models "$models"
# Of each path the file system of its nearest existing parent: how much is free there, and how it is mounted.
set --
for p in /opt /usr/local/bin /etc/systemd/system /tmp /var/tmp "$HOME" "\${models:-\${ohome:-/usr/share/ollama}}" "\${models:-$HOME/.ollama/models}"; do
  while [ ! -e "$p" ] && [ "$p" != / ] && [ -n "$p" ]; do p=\${p%/*}; [ -n "$p" ] || p=/; done
  set -- "$@" "$p"
done
free=$(df -Pk "$@" | awk -v n=$# '{free[NR] = $4} END {if (NR == n + 1) for (i = 2; i <= NR; i++) print free[i]}')
# One that df cannot tell of has no line, and then it is not clear whose the others are.
[ -n "$free" ] || free=$(for p; do df -Pk "$p" | awk '{free = $4} END {print (NR > 1 ? free : "unknown")}'; done)
options=
[ -r /proc/self/mounts ] && options=$(paths=$(printf '%s\n' "$@") awk '
  BEGIN {n = split(ENVIRON["paths"], path, "\n")}
  {m = $2 == "/" ? "/" : $2 "/"; for (i = 1; i <= n; i++) if (index(path[i] "/", m) == 1 && length(m) >= best[i]) {best[i] = length(m); found[i] = $4}}
  END {for (i = 1; i <= n; i++) print (found[i] == "" ? "unknown" : found[i])}' /proc/self/mounts)
free=$free$nl options=$options$nl
for name in /opt /usr/local/bin /etc/systemd/system /tmp /var/tmp home models own_models; do
  o=\${options%%"$nl"*}
  put place "$name \${free%%"$nl"*} \${o:-unknown}"
  free=\${free#*"$nl"} options=\${options#*"$nl"}
done

if [ -n "$staged" ]; then
  f=$HOME/.cache/ollamax/$staged
  [ -f "$f" ] && put staged "$(wc -c <"$f" | tr -d ' ')"
fi
if [ -n "$url" ] && have curl; then
  # Any answer will do: a mirror need not have anything at its root.
  if curl -sSIL -o /dev/null --connect-timeout 3 -m 6 "$url"; then put reaches 1; else put reaches 0; fi
fi
put end 1
`.replaceAll('\\${', '${')
