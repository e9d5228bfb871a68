#!/bin/sh
# Makes a root tree for examples/debian.xml: Debian 12 with systemd as init.
#
#   sh scripts/debian-root.sh DIR [MIRROR]
#
# It is what debootstrap makes, and one file less: the host name, which is the container's own. Two
# units are masked that mount what is the host's, or fail where they may not.
set -eu

root=${1:?usage: debian-root.sh DIR [MIRROR]}

command -v debootstrap >/dev/null || {
    echo "debian-root.sh: debootstrap is missing: apt-get install debootstrap" >&2
    exit 1
}
if [ -e "$root/etc/debian_version" ]; then
    echo "debian-root.sh: $root is a Debian already"
    exit 0
fi
mkdir -p "$root"
debootstrap --variant=minbase --include=systemd-sysv,dbus bookworm "$root" \
    "${2:-http://deb.debian.org/debian}"
# debootstrap copies the host's; with it the container would call itself by the host's name.
rm -f "$root/etc/hostname"
for unit in sys-kernel-debug.mount sys-kernel-tracing.mount; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
