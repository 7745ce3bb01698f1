#!/usr/bin/env bash
# image.sh DIR - the root file system that all hosts of a lab share, built once. Its name is a hash of this file.
# Debian with systemd, OpenSSH and four accounts: root; ops (sudo without password), pat (sudo with one), joe (no sudo).
set -euo pipefail
dir=$1
mkdir -p "$(dirname "$dir")"
exec 9>"$dir.lock"
flock 9 # several test files may want it at once; the first builds, the others find it built
[ ! -e "$dir/sbin/init" ] || exit 0
rm -rf "$dir.tmp"
suite=bookworm
# The machine's own mirror, whatever it is.
mirror=$(apt-get indextargets --format '$(SITE)' "Codename: $suite" | head -n 1)
packages=systemd,systemd-sysv,libpam-systemd,dbus,openssh-server,sudo,curl,ca-certificates,zstd
packages+=,iproute2,iputils-ping,procps,hostname,netbase,pciutils,libstdc++6
mmdebstrap --quiet --variant=minbase --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt=force-unsafe-io --include="$packages" "$suite" "$dir.tmp" ${mirror:+"$mirror"}
chroot "$dir.tmp" bash -eu <<'SH'
rm -f /etc/ssh/ssh_host_* /etc/machine-id /etc/resolv.conf
for user in ops pat joe; do useradd -m -s /bin/bash "$user"; done
printf '%s\n' root:root-pw ops:ops-pw pat:pat-pw joe:joe-pw | chpasswd
echo 'ops ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/ops
echo 'pat ALL=(ALL) ALL' >/etc/sudoers.d/pat
chmod 440 /etc/sudoers.d/*
systemctl -q mask console-getty.service getty.target apt-daily.timer apt-daily-upgrade.timer \
  dpkg-db-backup.timer e2scrub_all.timer systemd-update-utmp.service systemd-update-utmp-runlevel.service
# A host without an init system, as a container is: PID 1 runs an SSH server and nothing else.
cat >/sbin/plain-init <<'PLAIN'
#!/bin/bash
hostname -F /etc/hostname
mkdir -p /run/sshd /run/lock
/usr/sbin/sshd -D -e &
trap 'exit 0' TERM INT
while :; do wait; sleep 1; done
PLAIN
chmod 755 /sbin/plain-init
mkdir -p /opt/testbed
touch /opt/testbed/node
SH
mv "$dir.tmp" "$dir"
