#!/bin/sh
# Makes a root tree for examples/hello.xml: busybox, a link for each of its commands, and the
# directories that a container's file systems are mounted on.
#
#   sh scripts/busybox-root.sh DIR
#
# A tree that is there already is brought up to date.
set -eu

root=${1:?usage: busybox-root.sh DIR}

busybox=$(command -v busybox) || {
    echo "busybox-root.sh: busybox is missing: apt-get install busybox-static" >&2
    exit 1
}
# A dynamically linked one would find no libraries in the tree.
if ldd "$busybox" >/dev/null 2>&1; then
    echo "busybox-root.sh: $busybox needs libraries: apt-get install busybox-static" >&2
    exit 1
fi

umask 022
for directory in bin dev etc proc root run sys tmp; do
    mkdir -p "$root/$directory"
done
chmod 1777 "$root/tmp"
cp -f "$busybox" "$root/bin/busybox"
for command in $("$busybox" --list); do
    [ "$command" = busybox ] || ln -sf busybox "$root/bin/$command"
done
ln -sfn bin "$root/sbin"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
