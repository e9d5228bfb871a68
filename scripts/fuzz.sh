#!/bin/sh
# Looks for inputs that break what must hold for all (tests/fuzz/properties.rs).
#
#   sh scripts/fuzz.sh document [SECONDS]     domain documents
#   sh scripts/fuzz.sh lxc_config [SECONDS]   LXC configurations
#   sh scripts/fuzz.sh message [SECONDS]      messages of libvirt's protocol
#
# Needs `cargo install cargo-fuzz` and a C++ compiler. What it finds is in tests/fuzz/artifacts: a
# file of tests/data/fuzz from then on, which the tests replay.
set -eu

cd "$(dirname "$0")/.."
target=$1
seconds=${2:-600}
corpus=tests/fuzz/corpus/$target
mkdir -p "$corpus"

# The words of the readers, to put together.
case $target in
document) words='src/model src/xml' ;;
lxc_config) words='src/native' ;;
message) words='src/rpc' ;;
*) echo "no target $target: document, lxc_config, message" >&2; exit 2 ;;
esac
# The list is meant to be split into words.
# shellcheck disable=SC2086
grep -rhoE '"[A-Za-z0-9_.:/-]{1,40}"' $words | sort -u >tests/fuzz/corpus/"$target".dict

# Without a sanitizer: there is no unsafe code on these ways, and it is faster.
RUSTC_BOOTSTRAP=1 exec cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none "$target" \
    "$corpus" "tests/data/fuzz/$target" tests/data examples -- \
    -dict=tests/fuzz/corpus/"$target".dict -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=1024 -max_len=16384
