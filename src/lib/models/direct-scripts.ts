import {script} from './store-scripts.ts'

/**
 * Sends a file of this host's store straight to another host. `$1` directory, `$2` hex digits, `$3` bytes that are there
 * already, `$4` size, `$5` 1: read through sudo; `$6` host, `$7` port, `$8` account, `$9` its host key, `$10` what to run
 * there. A file that is just arriving is sent as it comes. Ends as what runs there, or with 255 where it cannot be
 * reached. The login is the one that SSH_AUTH_SOCK leads to; no other is tried, and nothing is written down here.
 */
export const SEND_BLOB = script`
f=$1/blobs/sha256-$2 part=$1/blobs/sha256-$2.ollamax at=$3 size=$4 by=
[ "$5" != 1 ] || by='sudo -n --'
shift 5
have ssh && [ -n "$SSH_AUTH_SOCK" ] && [ -x /bin/echo ] || exit 255
to() {
  ssh -T -F none -o BatchMode=yes -o PreferredAuthentications=publickey -o IdentityFile=none \
    -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null \
    -o "KnownHostsCommand=/bin/echo * $4" -o CheckHostIP=no -o UpdateHostKeys=no -o ConnectTimeout=5 \
    -o ServerAliveInterval=10 -o ClearAllForwardings=yes -o ForwardAgent=no -o ControlPath=none \
    -c aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr \
    -p "$2" -l "$3" -- "$1" "$5"
}
size_of() { n=$($by wc -c "$1" 2>/dev/null); n=@{n%% *}; echo "@{n:-0}"; }
# tail and head carry 8 KiB at a time, dd what it is told to.
if dd iflag=skip_bytes,count_bytes count=0 if=/dev/null of=/dev/null 2>/dev/null; then
  piece() { $by dd if="$1" bs=1M iflag=skip_bytes,count_bytes skip="$2" count="$3" 2>/dev/null; }
else
  piece() { $by tail -c +$(($2 + 1)) "$1" | head -c "$3"; }
fi
# A look costs several processes, so it waits until there is something to send, but no longer than a second.
send() {
  idle=0
  while [ "$at" -lt "$size" ]; do
    if $by test -f "$f"; then piece "$f" "$at" $((size - at)); return; fi
    now=$(size_of "$part") least=33554432
    [ $idle -lt 5 ] || least=1
    if [ "$now" -ge "$size" ] && [ "$now" -gt "$at" ] || [ "$now" -ge $((at + least)) ]; then
      piece "$part" "$at" $((now - at))
      at=$now idle=0
    else
      idle=$((idle + 1)); [ $idle -lt 150 ] || return 1
      sleep 0.2 2>/dev/null || sleep 1
    fi
  done
}
if [ "$at" = 0 ] && [ -z "$by" ] && [ -r "$f" ]; then to "$@" <"$f"; else send | to "$@"; fi
`

/** `$1` directory, `$2` hex digits. Prints how much of a file is there. */
export const SIZE_OF = script`
for f in "$1/blobs/sha256-$2" "$1/blobs/sha256-$2.ollamax"; do
  [ ! -f "$f" ] || { wc -c <"$f" | tr -d ' '; exit; }
done
echo 0
`
