#!/bin/sh
# From a fresh checkout to a running container, and back to nothing.
#
#   sh scripts/quickstart.sh
#
# Needs Debian 12 (or a relative), root, a Rust toolchain. Builds nsvirt, starts a daemon of its
# own with a D-Bus of its own, runs examples/hello.xml in it, stops everything. All files are in
# target/quickstart, and in target/release what was built. A second run works like the first.
set -eu

cd "$(dirname "$0")/.."
checkout=$(pwd)
target=${CARGO_TARGET_DIR:-target}

### Telling what happens ###################################################################

step() {
    current=$1
    printf '\n== %s\n' "$1"
}

say() { printf '   %s\n' "$*"; }

# Shows a command as one would type it.
show() { printf '$ %s\n' "$*"; }

# The same, and runs it.
run() {
    show "$@"
    "$@"
}

fail() {
    said=yes
    printf '\nquickstart: %s: %s\n' "$current" "$1" >&2
    exit 1
}

### Cleaning up, whatever happened #########################################################

daemon=
console=

end_process() {
    [ -n "$1" ] || return 0
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

clean_up() {
    status=$?
    trap - EXIT
    trap '' INT TERM HUP
    end_process "$console"
    if [ -n "$daemon" ]; then
        # The container would outlive its daemon. It may be gone already: that is fine.
        nsvirsh destroy hello >/dev/null 2>&1 || true
        nsvirsh undefine hello >/dev/null 2>&1 || true
        end_process "$daemon"
    fi
    if [ "$status" -ne 0 ]; then
        [ -n "${said:-}" ] ||
            printf '\nquickstart: %s: stopped with status %s\n' "$current" "$status" >&2
        [ ! -s "${dir:-}/nsvirtd.log" ] || sed 's/^/nsvirtd: /' "$dir/nsvirtd.log" >&2
    fi
    [ -z "${temporary:-}" ] || rm -rf "$temporary"
    exit "$status"
}

current=Start
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

### What is needed #########################################################################

step "What is needed"

if [ "$(id -u)" -ne 0 ]; then
    fail "needs root: only root may make mounts, namespaces and control groups for a container.
Run it as root, for example: sudo sh scripts/quickstart.sh"
fi

command -v cargo >/dev/null || [ ! -x "$HOME/.cargo/bin/cargo" ] || PATH=$HOME/.cargo/bin:$PATH
command -v cargo >/dev/null ||
    fail "no Rust toolchain: install one from https://rustup.rs and start again"

packages=
command -v cc >/dev/null || packages="$packages gcc"
[ -e /usr/include/stdio.h ] || packages="$packages libc6-dev"
# A busybox that needs libraries does not run in a tree that has none.
if ! command -v busybox >/dev/null || ldd "$(command -v busybox)" >/dev/null 2>&1; then
    packages="$packages busybox-static"
fi
if [ -n "$packages" ]; then
    command -v apt-get >/dev/null || fail "please install:$packages"
    export DEBIAN_FRONTEND=noninteractive
    run apt-get -qq update
    # shellcheck disable=SC2086  # one word per package
    run apt-get -qq install -y --no-install-recommends $packages
fi
say "$(cargo --version), $(cc --version | head -n 1)"

### Building ###############################################################################

step "Building (the first time takes minutes)"
run cargo build --release -p nsvirt
run cargo build --release -p nsvirsh

bin=$(cd "$target/release" && pwd)
show export "PATH=$bin:\$PATH"
PATH=$bin:$PATH

### A place of our own #####################################################################

step "A root tree and a private daemon"

case $target in
    /*) dir=$target/quickstart ;;
    *) dir=$checkout/$target/quickstart ;;
esac
# The paths of sockets are short, and some characters mean something in XML or a bus address.
case $dir in
    *[!A-Za-z0-9/._-]*) usable=no ;;
    *) [ ${#dir} -le 50 ] && usable=yes || usable=no ;;
esac
if [ $usable = no ]; then
    temporary=$(mktemp -d /tmp/nsvirt-quickstart.XXXXXX)
    dir=$temporary
fi
mkdir -p "$dir"
rm -rf "$dir/hello" "$dir/ready" "$dir/keys" "$dir/screen"
say "all files of this run are in $dir"

run sh scripts/busybox-root.sh "$dir/hello"
sed "s:/var/lib/nsvirt/roots/hello:$dir/hello:" examples/hello.xml >"$dir/hello.xml"

# A run that was killed outright has left its daemon.
old=$(cat "$dir/nsvirtd.pid" 2>/dev/null || true)
if [ -n "$old" ] && tr '\0' ' ' 2>/dev/null <"/proc/$old/cmdline" | grep -qF "nsvirtd --prefix $dir "; then
    say "ending the nsvirtd of an earlier run, process $old"
    kill "$old"
    tail --pid="$old" -f /dev/null
fi

# The daemon says when it answers. If it ends instead, reading ends as well.
mkfifo "$dir/ready"
show nsvirtd --prefix "$dir" --bus embedded "&"
# A session of its own: Ctrl-C is for this script, which then stops the container first.
setsid nsvirtd --prefix "$dir" --bus embedded >"$dir/ready" 2>"$dir/nsvirtd.log" &
daemon=$!
echo "$daemon" >"$dir/nsvirtd.pid"
read -r ready <"$dir/ready" || fail "nsvirtd ended before it was ready"
echo "$ready"
show export "NSVIRT_BUS=unix:path=$dir/run/bus"
export "NSVIRT_BUS=unix:path=$dir/run/bus"
# The container of such a run goes on, and this daemon has found it again.
nsvirsh destroy hello >/dev/null 2>&1 || true
nsvirsh undefine hello >/dev/null 2>&1 || true

### A container ############################################################################

step "A container"
run nsvirsh define "$dir/hello.xml"
run nsvirsh start hello
run nsvirsh list --all

# `console` wants a terminal, which script(1) makes. What the container prints is read until the
# line that says it is ready; then the key that leaves a console is typed: Ctrl-].
step "Its console"
mkfifo "$dir/keys" "$dir/screen"
show nsvirsh console hello
script -qec "nsvirsh console hello" /dev/null <"$dir/keys" >"$dir/screen" 2>&1 &
console=$!
exec 3>"$dir/keys" 4<"$dir/screen"
greeted=no
while read -r line <&4; do
    line=$(printf '%s' "$line" | tr -d '\r')
    printf '%s\n' "$line"
    [ "$line" != "Ready." ] || { greeted=yes; break; }
done
printf '\035' >&3
cat <&4 >/dev/null
exec 3>&- 4<&-
wait "$console" || true
console=
[ $greeted = yes ] || fail "the container's console ended before its greeting"

step "What is known of it"
run nsvirsh dominfo hello
partition=$(nsvirsh dumpxml hello |
    sed -n 's:.*<partition>\(.*\)</partition>.*:\1:p')

step "Its end"
run nsvirsh destroy hello
run nsvirsh undefine hello
run nsvirsh list --all
show kill "$daemon"
kill "$daemon"
wait "$daemon" || fail "nsvirtd ended with status $?"
daemon=

### What is left ###########################################################################

step "What is left"
left=$(
    # Processes whose program or arguments name our directory, mounts in it, control groups.
    for process in /proc/[0-9]*; do
        [ "$process" != "/proc/$$" ] || continue
        # Others come and go meanwhile.
        { tr '\0' ' ' <"$process/cmdline"; } 2>/dev/null | grep -F "$dir/" |
            sed "s:^:$process :" || true
    done
    grep -F " $dir/" /proc/self/mountinfo || true
    ls -d "/sys/fs/cgroup$partition" "/sys/fs/cgroup"/*"$partition" 2>/dev/null || true
)
[ -z "$left" ] || fail "these are still there:
$left"
if [ -n "${temporary:-}" ]; then
    say "no process, no mount, no control group, no file"
else
    say "no process, no mount, no control group; files only in $dir"
fi

step "Done"
cat <<END
   A D-Bus service with libvirt-dbus's API ran a container from a libvirt domain document:
   examples/hello.xml, with its own processes, mounts, host name, network and memory limit.

   To keep a daemon running and play with it, in this directory, as root:

     export PATH=$bin:\$PATH NSVIRT_BUS=unix:path=/tmp/nsvirt/run/bus
     sh scripts/busybox-root.sh /var/lib/nsvirt/roots/hello
     nsvirtd --prefix /tmp/nsvirt --bus embedded &
     nsvirsh create examples/hello.xml
     nsvirsh console hello          (leave it with Ctrl-])
     nsvirsh help

   README.md goes on from there; examples/ has a Debian that boots systemd.
END
