#!/bin/bash
# tests/upgrade_test.sh REV: builds that revision of this repository and runs a cluster of both: see upgrade_mixed.sh.
set -e
root=$(cd "$(dirname "$0")/.." && pwd)
[ -n "$1" ] || { echo "which revision? make upgrade-test FROM=REV" >&2; exit 2; }
rev=$(git -C "$root" rev-parse --verify --short=12 "$1^{commit}") || { echo "FROM=$1 is no revision of this repository" >&2; exit 2; }
tree=$root/build/upgrade/$rev
if [ ! -x "$tree/build/k3x" ]; then
	rm -rf "$tree"
	mkdir -p "$tree/build"
	git -C "$root" archive "$rev" | tar -x -C "$tree"
	cp -a "$root/build/deps" "$tree/build/deps"
	make -j2 -C "$tree" all >"$tree/build/log" 2>&1 || { tail "$tree/build/log" >&2; exit 1; }
fi
echo "old: $rev of $(git -C "$root" log -1 --format=%cs "$rev")"
OLD=$tree/build/k3x exec "$root/tests/apart.sh" "$root/tests/integration/_upgrade_mixed.sh"
