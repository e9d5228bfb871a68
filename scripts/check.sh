#!/bin/sh
# Checks everything: formatting, lints, tests, scripts. Fails when anything of it fails.
#
# As root on Debian it installs what is missing, and runs all tests. As an ordinary user it says
# which tests need root, and runs the rest.
set -eu

cd "$(dirname "$0")/.."

say() {
    printf '\n== %s\n' "$*"
}

# needs COMMAND PACKAGES: installs the Debian packages when the command, or the file, is missing.
missing=''
needs() {
    command -v "$1" >/dev/null 2>&1 || [ -e "$1" ] || missing="$missing $2"
}

# Installs packages, and starts none of the services in them.
install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then
        apt-get -q install -y --no-install-recommends "$@"
    else
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        apt-get -q install -y --no-install-recommends "$@"
        rm "$policy"
        trap - EXIT
    fi
}

needs cc build-essential
# The containers of the tests run on it. It must be the static one, see below.
needs busybox busybox-static
# Images and devices with file systems, for the tests.
needs mkfs.ext4 e2fsprogs
needs losetup mount
# libvirt's own driver, to compare with: the tests start it, each for itself.
needs /usr/sbin/libvirtd 'libvirt-daemon libvirt-daemon-system'
needs /usr/lib/libvirt/libvirt_lxc libvirt-daemon-driver-lxc
needs virsh libvirt-clients
/usr/bin/python3 -c 'import libvirt' 2>/dev/null || missing="$missing python3-libvirt"
# Programs that are made with libvirt's library, or speak its protocol.
needs virt-install virtinst
needs virt-ssh-helper libvirt-clients
needs /usr/sbin/libvirt-dbus libvirt-dbus
needs dbus-daemon dbus-daemon
needs prometheus-libvirt-exporter prometheus-libvirt-exporter
needs /usr/share/doc/libsys-virt-perl libsys-virt-perl
# What schemas/domain is compared with, and by.
needs xmllint libxml2-utils
needs /usr/share/libvirt/schemas/domain.rng libvirt0

if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing$missing"
        # The list is meant to be split into words.
        # shellcheck disable=SC2086
        install $missing
        missing=''
    else
        echo "missing:$missing (as root on Debian, this script installs them)" >&2
    fi
fi

if ! command -v cargo >/dev/null 2>&1; then
    echo "missing: cargo (see https://rustup.rs; rust-toolchain and Cargo.toml name the version)" >&2
    exit 1
fi

# With everything installed, a test that finds something missing fails.
if [ -z "$missing" ]; then
    export NSVIRT_CHECK_ALL=1
fi

say 'scripts: syntax'
# tests/probe is run by a container's shell, and is checked as the same language.
for script in .ci/run $(find scripts tests examples packaging -name '*.sh' 2>/dev/null | sort); do
    sh -n "$script"
    echo "$script"
done

say 'cargo fmt'
cargo fmt --all --check

say 'cargo clippy'
cargo clippy --workspace --all-targets -- -D warnings

say 'cargo test'
if [ "$(id -u)" = 0 ]; then
    cargo test --workspace
else
    # Tests that need root print their names to standard error and pass.
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    status=0
    cargo test --workspace 2>"$log" || status=$?
    cat "$log" >&2
    if grep -q '^needs .*: ' "$log"; then
        say 'not run, because of what they need'
        grep '^needs .*: ' "$log" | sort -u
    fi
    [ "$status" = 0 ] || exit "$status"
fi

say 'all checks passed'
