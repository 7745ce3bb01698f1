/** Begins every script here: plain English, everything in the PATH. `@{` stands for the shell's `${`. */
const BASE = String.raw`
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
fail() { printf '%s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
# OpenSSL first: it uses the processor's own instructions where coreutils may not.
sum() { if have openssl; then openssl dgst -sha256 -r; elif have sha256sum; then sha256sum; else shasum -a 256; fi; }
`

/** A script from its text; what is filled in must be constant. */
export const script = (text: TemplateStringsArray, ...parts: readonly string[]) =>
  (BASE + String.raw(text, ...parts)).replaceAll('@{', '${')

/**
 * Sets `dir`, where the models lie, if it is empty; `install` as in `$2` of LOOK. Also `at`, what there is of that path, and
 * `account`, `uid`, `ours`, `own`, `unit`.
 */
export const FIND_STORE = String.raw`account=$(id -un) uid=$(id -u)
home_of() { if have getent; then getent passwd "$1"; else grep "^$1:" /etc/passwd; fi | cut -d: -f6; }
own=$HOME/.local/share/ollamax/ollama
scopes='--system --user'; [ "$install" != user ] || scopes=--user
XDG_RUNTIME_DIR=@{XDG_RUNTIME_DIR:-/run/user/$uid}; export XDG_RUNTIME_DIR
unit= ours=$HOME
for scope in $scopes; do
  have systemctl || break
  unit=$(systemctl $scope show ollama.service -p LoadState -p User -p Environment </dev/null)
  case $unit in *LoadState=loaded*) ;; *) unit=; continue ;; esac
  if [ $scope = --system ]; then
    account=$(printf '%s\n' "$unit" | sed -n 's/^User=//p'); : "@{account:=root}"
    ours=$(home_of "$account")
  fi
  break
done
if [ -z "$unit" ] && [ "$install" != user ] && [ ! -r "$own/supervise.sh" ] && id ollama >/dev/null; then
  account=ollama ours=$(home_of ollama)
fi
[ -n "$dir" ] || dir=$(printf '%s\n' "$unit" | sed -n 's/^Environment=.*OLLAMA_MODELS=\([^" ]*\).*/\1/p' | head -n 1)
if [ -z "$dir" ] && [ -z "$unit" ] && [ -r "$own/supervise.sh" ]; then
  dir=$(sed -n "s/^OLLAMA_MODELS='\(.*\)'; export.*/\1/p" "$own/supervise.sh" | head -n 1)
fi
[ -n "$dir" ] || dir=$ours/.ollama/models
at=$dir
while [ ! -e "$at" ] && [ "$at" != / ]; do at=@{at%/*}; [ -n "$at" ] || at=/; done
`

/**
 * Looks at a host's store, changing nothing. `$1` its directory if that is known, `$2` `user` where Ollama runs below the
 * login account, the rest: paths of manifests that are wanted. Prints `key=value` lines; what cannot be seen has no line.
 */
export const LOOK = script`
exec 2>/dev/null
dir=$1 install=$2; shift 2
${FIND_STORE}echo "dir=$dir"
echo "uid=$uid"
if [ "$uid" = 0 ]; then echo sudo=root
elif ! have sudo; then echo sudo=absent
elif said=$(sudo -n -- /bin/sh -c : 2>&1); then echo sudo=passwordless
else case $(sudo -n -v 2>&1)$said in
    *'may not run'*|*'not in the sudoers'*|*'not allowed'*) echo sudo=denied ;;
    *'must have a tty'*) echo sudo=requiretty ;;
    *) echo sudo=password ;;
  esac
fi
if [ "$at" = "$dir" ]; then owner=$(ls -ldn "$dir" | awk '{print $3 ":" $4}')
else owner=$(id -u "$account"):$(id -g "$account"); fi
echo "owner=$owner"
[ ! -d "$dir" ] || echo exists=1
[ ! -r "$dir/blobs" ] || [ ! -x "$dir/blobs" ] || echo readable=1
if [ -d "$dir/blobs" ]; then [ ! -w "$dir/blobs" ] || [ ! -w "$dir/manifests" ] || echo writable=1
else [ ! -w "$at" ] || echo writable=1; fi
df -Pk "$at" | awk 'END {print "free=" $4}'
[ -r /proc/meminfo ] && sed -n 's/^MemAvailable: *\([0-9]*\) kB/available=\1/p' /proc/meminfo
ls -lnL "$dir/blobs" | awk '/^-/ {print "blob=" $9 " " $5}'
for p; do
  f=$dir/manifests/$p
  [ ! -f "$f" ] || echo "manifest=$p $(base64 <"$f" | tr -d '\n')"
done
echo end=1
`

/** `$1` directory, `$2` hex digits, `$3` bytes to leave out at the beginning, `$4` how many of those that follow are wanted. */
export const READ_BLOB = script`
f=$1/blobs/sha256-$2
[ -r "$f" ] || fail "the file sha256-$2 is not there, or may not be read"
size=$(wc -c <"$f" | tr -d ' ')
if [ $(($3 + $4)) -ge "$size" ]; then
  if [ "$3" = 0 ]; then exec cat "$f"; fi
  exec tail -c +$(($3 + 1)) "$f"
fi
tail -c +$(($3 + 1)) "$f" | head -c "$4"
`

/**
 * `$1` directory, `$2` hex digits, `$3` size, `$4` bytes that are there already, `$5` owner. Takes the rest on standard
 * input. The file gets its name only when it is whole, its hash is right and it is on disk. Ends with 75 where another
 * copy of it is under way, 76 where what came has another hash, 77 where it broke off (and what came stays).
 */
export const WRITE_BLOB = script`
set -eu
umask 022
dir=$1 f=$1/blobs/sha256-$2 part=$1/blobs/sha256-$2.ollamax
mkdir -p "$dir/blobs" "$dir/manifests"
[ "$(id -u)" != 0 ] || for d in "$dir" "$dir/blobs" "$dir/manifests"; do
  [ "$(ls -ldn "$d" | awk '{print $3 ":" $4}')" = "$5" ] || chown "$5" "$d"
done
# One of another size is no such file, whatever its name says.
[ ! -e "$f" ] || [ "$(wc -c <"$f" | tr -d ' ')" != "$3" ] || { echo had=1; exit 0; }
exec 9>>"$part"
[ "$(id -u)" != 0 ] || chown "$5" "$part"
! have flock || flock -n 9 || exit 75
[ "$(wc -c <"$part" | tr -d ' ')" = "$4" ] || exit 75
cat >&9
size=$(wc -c <"$part" | tr -d ' ')
[ "$size" -ge "$3" ] || exit 77
found=$(sum <"$part")
[ "@{found%% *}" = "$2" ] || { rm -f "$part"; echo "found=@{found%% *}"; exit 76; }
chmod 644 "$part"
sync "$part" 2>/dev/null || sync
mv -f "$part" "$f"
`

/**
 * `$1` directory, `$2` path of the manifest, `$3` its bytes in base64, `$4` owner, the rest: `HEX:SIZE` of each file that
 * it names. Ends with 78 where one of them is not there as it should be. The manifest appears at once or not at all.
 */
export const WRITE_MANIFEST = script`
set -eu
umask 022
dir=$1 path=$2 text=$3 owner=$4; shift 4
for b; do
  f=$dir/blobs/sha256-@{b%:*}
  [ -f "$f" ] && [ "$(wc -c <"$f" | tr -d ' ')" = "@{b#*:}" ] || { echo "missing=@{b%:*}"; exit 78; }
done
new=$dir/blobs/manifest-$$.ollamax
trap 'rm -f "$new"' EXIT
printf '%s' "$text" | base64 -d >"$new"
mkdir -p "$dir/manifests/@{path%/*}"
if [ "$(id -u)" = 0 ]; then
  chown "$owner" "$new"
  d=$dir/manifests/@{path%/*}
  while [ "$d" != "$dir/manifests" ]; do chown "$owner" "$d"; d=@{d%/*}; done
fi
sync "$new" 2>/dev/null || sync
mv -f "$new" "$dir/manifests/$path"
`
