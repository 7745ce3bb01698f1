#!/usr/bin/env bash
# inside.sh - what runs as root within the namespaces of a lab; only lab.ts calls it.
#   lab           PID 1 of the lab: its own mounts and network, a bridge and no way out
#   plug I        the lab's side of host I: disk, identity and cable; they outlive its reboots
#   board I       boots host I, and again after each reboot, until it is powered off
#   boot I        becomes PID 1 of host I
#   answers IP    waits until an SSH server greets there
# LAB_RUN: the lab's directory. LAB_IMAGE: the shared root file system. LAB_OUTER: the machine's own mount namespace.
set -euo pipefail
net=10.77.0
cgroups=/sys/fs/cgroup/unified
[ -e "$cgroups" ] || cgroups=/sys/fs/cgroup
cgroups+=/$(basename "$LAB_RUN")
[ "$LAB_OUTER" != "$(readlink /proc/self/ns/mnt)" ] || { echo "inside.sh: only within a lab" >&2; exit 1; }

own_pid() { # as seen from outside: /proc is still the machine's here
  local pid rest
  read -r pid rest </proc/self/stat
  echo "$pid" >"$1.tmp"
  mv "$1.tmp" "$1"
}

do_lab() {
  mkdir -p /run/netns
  mount -t tmpfs tmpfs /run/netns
  mount --bind "$LAB_RUN/hosts" /etc/hosts
  ip link set lo up
  ip link add ox0 type bridge mcast_snooping 0
  ip addr add "$net.1/24" dev ox0
  ip link set ox0 up
  local pid rest
  read -r pid rest </proc/self/stat
  echo "$pid" >"$LAB_RUN/lab.pid"
  while :; do sleep 3600 & wait $! || :; done
}

do_plug() {
  local i=$1 disk=$2 host=$LAB_RUN/h$1
  local etc=$host/up/etc
  mkdir -p "$host"
  mount -t tmpfs -o "size=$disk,mode=755" "disk-h$i" "$host"
  mkdir -p "$host"/{work,root} "$etc/ssh"
  echo "h$i" >"$etc/hostname"
  tr -d - </proc/sys/kernel/random/uuid >"$etc/machine-id"
  cp "$LAB_RUN/hosts" "$etc/hosts"
  ssh-keygen -q -t ed25519 -N '' -C "h$i" -f "$etc/ssh/ssh_host_ed25519_key"
  local entry home
  for entry in 0:/root 1000:/home/ops 1001:/home/pat 1002:/home/joe; do
    home=$host/up${entry#*:}
    mkdir -p "$home/.ssh"
    cp "$LAB_RUN/id.pub" "$home/.ssh/authorized_keys"
    chmod 700 "$home" "$home/.ssh"
    chown -R "${entry%%:*}:${entry%%:*}" "$home"
  done
  echo "$net.$((10 + i)),h$i $(cut -d' ' -f1,2 "$etc/ssh/ssh_host_ed25519_key.pub")" >>"$LAB_RUN/known_hosts"
  ip netns add "h$i"
  ip link add "h$i" type veth peer name eth0 netns "h$i"
  ip link set "h$i" master ox0 up
  ip -n "h$i" link set lo up
  ip -n "h$i" addr add "$net.$((10 + i))/24" dev eth0
  ip -n "h$i" link set eth0 up
}

do_board() {
  local i=$1 rc
  mkdir -p "$cgroups/h$i"
  echo $$ >"$cgroups/h$i/cgroup.procs"
  while :; do
    rc=0
    ip netns exec "h$i" unshare --pid --fork --kill-child --mount --uts --ipc --cgroup \
      bash "$0" boot "$i" || rc=$?
    # `reboot` within a PID namespace ends its init by SIGHUP.
    [ $rc = 129 ] || { rm -f "$LAB_RUN/h$i.pid"; exit 0; }
  done
}

do_boot() {
  local i=$1 host=$LAB_RUN/h$1 dev link init
  own_pid "$LAB_RUN/h$i.pid"
  mount -t overlay overlay -o "lowerdir=$LAB_IMAGE,upperdir=$host/up,workdir=$host/work" "$host/root"
  cd "$host/root"
  mount -t proc proc proc
  mount -t sysfs -o ro sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  # Kernel settings are the machine's: not to be changed from in here, but for the host's own network.
  mount --bind proc/sys proc/sys
  mount --bind proc/sys/net proc/sys/net
  mount -o remount,bind,ro proc/sys
  mount -t tmpfs -o mode=755 tmpfs run
  cat proc/sys/kernel/random/uuid >run/boot_id
  mount --bind run/boot_id proc/sys/kernel/random/boot_id
  mount -t tmpfs -o mode=755,size=1m tmpfs dev
  mkdir dev/pts dev/shm
  mount -t tmpfs tmpfs dev/shm
  mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  for dev in 'null 1 3' 'zero 1 5' 'full 1 7' 'random 1 8' 'urandom 1 9' 'tty 5 0'; do
    # shellcheck disable=SC2086 # three words
    set -- $dev
    mknod -m 666 "dev/$1" c "$2" "$3"
  done
  for link in fd: stdin:/0 stdout:/1 stderr:/2; do
    ln -s "/proc/self/fd${link#*:}" "dev/${link%%:*}"
  done
  # The Node that plays `ollama` on this host.
  mount --bind "$LAB_NODE" opt/testbed/node
  init=/sbin/init
  [ ! -e "$LAB_RUN/h$i.plain" ] || init=/sbin/plain-init
  pivot_root . mnt
  # Without these rights: `date -s` on a host would set the machine's clock.
  exec chroot . /bin/sh -c "umount -l /mnt; exec setpriv \
    --bounding-set=-sys_time,-sys_module,-sys_rawio,-syslog,-mknod \
    env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin $init" \
    </dev/null >/dev/null 2>&1
}

do_answers() {
  local n line
  for ((n = 0; n < 600; n++)); do
    if exec 3<>"/dev/tcp/$1/22" && read -r -t 2 line <&3 && [[ $line == SSH-* ]]; then exit 0; fi 2>/dev/null
    exec 3>&- || :
    sleep .05
  done
  exit 1
}

command=$1
shift
"do_$command" "$@"
