/** Begins every script: fails on the first error, in plain English, with everything in the PATH. */
const BASE = String.raw`
set -eu
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
umask 022
cd /
fail() { printf '%s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
note() { # $1 root, $2 key, $3 value: what we changed; the first word on a key stays
  [ -d "$1/.ollamax" ] || mkdir -p "$1/.ollamax"
  grep -q "^$2=" "$1/.ollamax/manifest" 2>/dev/null || printf '%s=%s\n' "$2" "$3" >>"$1/.ollamax/manifest"
}
user_bus() { XDG_RUNTIME_DIR=@{XDG_RUNTIME_DIR:-/run/user/$(id -u)}; export XDG_RUNTIME_DIR; }
`

/** A script from its text; `@{` stands for the shell's `${`, which a template literal would take for its own. */
export const script = (text: TemplateStringsArray, ...constants: readonly string[]) =>
  (BASE + String.raw(text, ...constants)).replaceAll('@{', '${')

/** `$1` directory that the archive is put into. */
export const STAGE = script`
mkdir -p "$1"
chmod 700 "$1"
`

/** `$1` URL, `$2` file to write; continues what an aborted run left. */
export const FETCH = script`
mkdir -p "@{2%/*}"
[ -f "$2" ] && exit 0
curl -fsSL --retry 3 --connect-timeout 15 --speed-limit 1 --speed-time 60 -C - -o "$2.part" "$1" || {
  code=$?
  [ $code != 33 ] && [ $code != 36 ] || rm -f "$2.part"
  fail "curl ended with exit code $code on $1"
}
mv -f "$2.part" "$2"
`

/**
 * `$1` root, `$2` archive, `$3` its SHA-256 (empty: `$6` is looked at instead), `$4` name of the tree,
 * `$5` gz, zst or tar, `$6` SHA-256 of the tar within, `$7` SHA-256 to remember. A tree has its final
 * name only when it is whole, on disk, and its program starts on this machine.
 */
export const UNPACK = script`
root=$1 archive=$2 sha=$3 tree=$4 format=$5 plain=$6 origin=$7
[ "$(cat "$root/$tree/.ollamax-sha256" 2>/dev/null)" != "$origin" ] || exit 0
[ -f "$archive" ] || fail "the archive is not there: $archive"
mkdir -p "$root"
rm -rf "$root"/.unpack-*
new=$root/.unpack-$$ held=$archive
trap 'rm -rf "$new" "$new.archive"' EXIT
# Where root unpacks what another account may write to: a copy, so that what is checked is what is unpacked.
if [ "$(id -u)" = 0 ] && [ ! -O "@{archive%/*}" ]; then held=$new.archive; cp "$archive" "$held"; fi
sum() { if have sha256sum; then sha256sum; elif have shasum; then shasum -a 256; else openssl dgst -sha256 -r; fi; }
open() { case $format in gz) gzip -dc <"$held" ;; zst) zstd -dcq <"$held" ;; *) cat "$held" ;; esac; }
if [ -n "$sha" ]; then found=$(sum <"$held"); want=$sha; else found=$(open | sum); want=$plain; fi
[ "@{found%% *}" = "$want" ] || { rm -f "$archive"; fail "checksum mismatch: the archive there has @{found%% *}, and not $want"; }
[ "$held" = "$archive" ] || rm -f "$archive"
mkdir "$new"
open | tar -xof - -C "$new"
# As root, tar takes over every right that the archive names.
chmod -R u=rwX,go=rX "$new"
# The archive for macOS has its program beside its libraries, without a directory around them.
if [ -f "$new/ollama" ] && [ ! -e "$new/bin" ]; then
  mkdir "$new/bin"
  for f in "$new"/*; do [ "$f" = "$new/bin" ] || mv "$f" "$new/bin/"; done
fi
[ -x "$new/bin/ollama" ] || fail 'there is no bin/ollama in the archive'
limit=; ! have timeout || limit='timeout 20'
said=$(HOME=$new OLLAMA_HOST=127.0.0.1:1 $limit "$new/bin/ollama" -v 2>&1 </dev/null) || {
  code=$?
  case "$code $said" in
    126*|127*|*GLIBC*|*'error while loading'*) fail "its program does not start on this machine: $said" ;;
  esac
}
printf '%s\n' "$said" | sed -n 's/.*version is v*//p' | tail -n 1 >"$new/.ollamax-version"
printf '%s\n' "$origin" >"$new/.ollamax-sha256"
sync -f "$new" 2>/dev/null || sync
rm -rf "$root/$tree"
mv "$new" "$root/$tree"
rm -f "$archive"
`

/** `$1` root. */
export const ADD_USER = script`
id ollama >/dev/null 2>&1 && exit 0
if [ -e /usr/share/ollama ]; then note "$1" user 'created, home was there'; else note "$1" user created; fi
groups=
for g in render video; do ! grep -q "^$g:" /etc/group || groups=@{groups:+$groups,}$g; done
if have useradd; then
  own=-U; ! grep -q '^ollama:' /etc/group || own='-g ollama'
  useradd -r -s /bin/false $own @{groups:+-G $groups} -m -d /usr/share/ollama ollama
else
  grep -q '^ollama:' /etc/group || addgroup -S ollama
  adduser -S -D -s /bin/false -G ollama -h /usr/share/ollama ollama
  IFS=,; for g in $groups; do addgroup ollama "$g"; done
fi
`

/** `$1` root, `$2` key for the manifest, `$3` path, `$4` text, `$5` mode. */
export const WRITE = script`
[ -e "$3" ] || note "$1" "$2" created
mkdir -p "$1/.ollamax" "@{3%/*}"
: >"$1/.ollamax/pending"
printf '%s' "$4" >"$3.ollamax-new"
chmod "$5" "$3.ollamax-new"
mv -f "$3.ollamax-new" "$3"
`

/** `$1` root, `$2` tree, `$3` link for people's PATH, or empty. The switch is one rename. */
export const SWITCH = script`
[ -x "$1/$2/bin/ollama" ] || fail "there is no tree $2"
mkdir -p "$1/.ollamax"
: >"$1/.ollamax/pending"
old=$(readlink "$1/current" || :)
if [ "$old" != "$2" ]; then
  ln -sfn "$2" "$1/.current-new"
  # Older macOS has neither flag, and would move the link into the old tree.
  mv -Tf "$1/.current-new" "$1/current" 2>/dev/null || mv -fh "$1/.current-new" "$1/current" 2>/dev/null ||
    { ln -sfn "$2" "$1/current"; rm -f "$1/.current-new"; }
  [ -z "$old" ] || printf '%s\n' "$old" >"$1/.ollamax/previous"
fi
if [ -n "$3" ] && [ -d "@{3%/*}" ] && [ ! -e "$3" ] && [ ! -L "$3" ]; then
  note "$1" link "$3"
  ln -s "$1/current/bin/ollama" "$3"
fi
`

/**
 * `$1` root, `$2` how many trees to keep besides the one that is switched on and the one before it: the youngest
 * stay. Prints what it takes away. Only what we unpacked is looked at.
 */
export const PRUNE = script`
current=$(readlink "$1/current" || :)
previous=$(cat "$1/.ollamax/previous" 2>/dev/null || :)
kept=0
ls -1td "$1"/*/.ollamax-sha256 2>/dev/null | while IFS= read -r mark; do
  tree=@{mark%/*}
  [ ! -L "$tree" ] || continue
  case @{tree##*/} in "$current" | "$previous") continue ;; esac
  kept=$((kept + 1))
  [ "$kept" -gt "$2" ] || continue
  printf '%s\n' "@{tree##*/}"
  rm -rf "$tree"
done
`

/**
 * `$1` root, `$2` --system or --user, `$3` 1: systemd has held no such service yet, and reads its files at the first
 * question. A reload, the dearest of all steps and the slower the more units a machine has, is then not needed, if
 * systemd agrees. A service that was masked is said so.
 */
export const START = script`
[ "$2" != --user ] || user_bus
grep -q '^unit=' "$1/.ollamax/manifest" 2>/dev/null ||
  note "$1" enabled_before "$(systemctl $2 is-enabled ollama.service 2>/dev/null || :)"
systemctl $2 enable -q --no-reload ollama.service
held=
[ "$3" != 1 ] ||
  held=$(systemctl $2 show ollama.service -p LoadState -p UnitFileState -p NeedDaemonReload -p DropInPaths)
for wanted in LoadState=loaded UnitFileState=enabled NeedDaemonReload=no /50-ollamax.conf; do
  case $held in *"$wanted"*) ;; *) systemctl $2 daemon-reload; break ;; esac
done
# What has failed too often is not started before that is forgotten.
systemctl $2 restart ollama.service 2>/dev/null || {
  systemctl $2 reset-failed ollama.service 2>/dev/null || :
  systemctl $2 restart ollama.service
}
rm -f "$1/.ollamax/pending"
`

/** Lets the account's services run without a login, also after a reboot. */
export const LINGER = script`
note "$1" linger created
loginctl enable-linger 2>&1 || fail "loginctl enable-linger was refused"
[ -e "/var/lib/systemd/linger/$(id -un)" ] || fail 'loginctl enable-linger had no effect'
`

/** `$1` root, `$2` 1: also at boot, by cron. Starts the supervisor anew. */
export const SUPERVISE = script`
pid=$(cat "$1/.ollamax/supervisor.pid" 2>/dev/null || :)
if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q supervise.sh; then
  kill "$pid"
  n=0; while kill -0 "$pid" 2>/dev/null && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done
fi
rm -f "$1/.ollamax/supervisor.pid"
if [ "$2" = 1 ]; then
  # Where there is no crontab, crontab -l fails and says so; any other failure must not cost the lines that are there.
  if ! lines=$(LC_ALL=C crontab -l 2>&1); then
    case $lines in *'no crontab'* | *'No such file'*) lines= ;; *) printf '%s\n' "$lines" >&2; exit 1 ;; esac
  fi
  if ! printf '%s\n' "$lines" | grep -qF "$1/supervise.sh"; then
    note "$1" cron created
    { [ -z "$lines" ] || printf '%s\n' "$lines"; printf '@reboot "%s/supervise.sh"\n' "$1"; } | crontab -
  fi
fi
if have setsid; then setsid "$1/supervise.sh" >/dev/null 2>&1 </dev/null &
else nohup "$1/supervise.sh" >/dev/null 2>&1 </dev/null &
fi
rm -f "$1/.ollamax/pending"
`

/** `$1` --system or --user: what a person would look at first when the service does not answer. */
export const WHY_DOWN = script`
set +e
[ "$1" != --user ] || user_bus
systemctl $1 show ollama.service -p ActiveState -p SubState -p Result -p ExecMainStatus -p NRestarts | tr '\n' ' '
echo
journalctl $1 -u ollama.service -n 15 -o cat --no-pager 2>/dev/null
`

/** `$1` --system or --user: kills the server as the kernel would, and prints which process that was. */
export const KILL = script`
[ "$1" != --user ] || user_bus
pid=$(systemctl $1 show ollama.service -p MainPID --value)
[ "$pid" != 0 ] || fail 'the service is not running'
kill -9 "$pid"
echo "killed=$pid"
`

/** `$1` --system or --user: enabled or not, the environment in force, and the process that serves. */
export const IN_FORCE = script`
[ "$1" != --user ] || user_bus
systemctl $1 show ollama.service -p UnitFileState -p Environment -p DropInPaths -p MainPID
`
